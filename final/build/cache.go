package build

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Key is all that the result of a step depends on.
type Key struct {
	Parent string   // ID of the image below; "" = nothing
	Step   string   // the instruction, with its variables filled in
	Args   []string `json:",omitempty"` // NAME=VALUE: build arguments that a RUN sees
	Files  string   `json:",omitempty"` // digest of what COPY or ADD brings
	System string   `json:",omitempty"` // os/arch/variant, if no image below says it
}

// sum is a name for the key.
func (k Key) sum() string {
	data, _ := json.Marshal(k) // strings can always be written
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Built is one image that a step made.
type Built struct {
	Key
	Image   string // ID
	Created time.Time
}

// Cache knows which step made which image: a directory with a small file for
// each, named after the image. An image that is gone is no longer in it.
type Cache struct {
	dir string
	has func(image string) bool

	mu    sync.Mutex // guards what follows
	built map[string]Built
}

// OpenCache opens the cache in dir, and makes it if there is none. has tells
// whether an image is there; files about others are removed.
func OpenCache(dir string, has func(image string) bool) (*Cache, error) {
	c := &Cache{dir: dir, has: has, built: map[string]Built{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		var b Built
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err == nil {
			err = json.Unmarshal(data, &b)
		}
		if err != nil || c.file(b.Image) != filepath.Join(dir, e.Name()) || !has(b.Image) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return nil, err
			}
			continue
		}
		c.built[b.Image] = b
	}
	return c, nil
}

func (c *Cache) file(image string) string {
	return filepath.Join(c.dir, strings.TrimPrefix(image, "sha256:")+".json")
}

// Get finds the newest image that was made with this key and is still there.
func (c *Cache) Get(k Key) (image string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	want := k.sum()
	var best Built
	for _, b := range c.built {
		if b.sum() == want && b.Created.After(best.Created) && c.has(b.Image) {
			best = b
		}
	}
	return best.Image, best.Image != ""
}

// Put remembers an image that a step made.
func (c *Cache) Put(b Built) error {
	data, err := json.MarshalIndent(b, "", "\t")
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	temp := c.file(b.Image) + ".new"
	if err := errors.Join(os.WriteFile(temp, data, 0o600), os.Rename(temp, c.file(b.Image))); err != nil {
		return fmt.Errorf("remember the step: %w", err)
	}
	c.built[b.Image] = b
	return nil
}

// Images lists the images that builds have made and that are still there.
func (c *Cache) Images() (ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.built {
		if c.has(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Forget drops what is known of an image, and returns the one below it.
func (c *Cache) Forget(image string) (parent string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	parent = c.built[image].Parent
	delete(c.built, image)
	if err = os.Remove(c.file(image)); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return parent, err
}

// Children lists the images that were made of this one and are still there.
func (c *Cache) Children(image string) (ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.built {
		if b.Parent == image && c.has(b.Image) {
			ids = append(ids, b.Image)
		}
	}
	slices.Sort(ids)
	return ids
}
