package unionfs

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// Errors that callers may want to tell apart.
var (
	ErrNotFound = errors.New("no such layer")
	ErrExists   = errors.New("layer exists already")
	ErrInUse    = errors.New("layer has other layers on top of it")
	ErrName     = errors.New("not a layer ID")
)

// Options says how a store keeps its layers.
type Options struct {
	// Driver is "overlay", "fuse-overlayfs", "btrfs" or "vfs"; "" is the best that works.
	Driver string
}

// Store is a directory of layers. Its methods may be called by many goroutines at once, and by many
// processes that opened the same directory.
//
//	DIR/overlay/layers/sha256-2c26…/layer.json   what the layer is (a layer exists once this directory does)
//	                               /diff/        its files
//	                               /work/        overlay's own scratch space, for containers' layers only
//	           /l/ABCDEFGH                       a short name of a layer's diff: mount options are one page
//	           /tmp/…                            layers being made or removed; flock(2) says whether still
type Store struct {
	dir    string
	name   string
	driver driver
	reason string
}

// layer is what layer.json holds.
type layer struct {
	ID     string   `json:"id"`
	Parent string   `json:"parent,omitempty"`
	Link   string   `json:"link,omitempty"`  // l/ABCDEFGH; "" for the writable layer of a container
	Lower  []string `json:"lower,omitempty"` // links of the layers below, nearest first
	Size   int64    `json:"size"`            // bytes in regular files when it was applied
}

// Open opens the store in dir, and makes it if need be. Layers that a crash left half-made or half-removed
// are removed. An unknown driver, or a named one that does not work in dir, is an error that says why.
func Open(dir string, o Options) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, err
	}
	s, err := choose(dir, o.Driver)
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{"layers", "l", "tmp"} {
		if err := os.MkdirAll(s.path(sub), 0o711); err != nil {
			return nil, err
		}
	}
	return s, s.recover()
}

// Driver returns the name of the driver in use.
func (s *Store) Driver() string { return s.name }

// Reason says why that driver is in use.
func (s *Store) Reason() string { return s.reason }

// Has reports whether the layer id is complete.
func (s *Store) Has(id string) bool {
	_, err := s.layer(id)
	return err == nil
}

// List returns the IDs of all layers, sorted as their directories are.
func (s *Store) List() ([]string, error) {
	entries, err := os.ReadDir(s.path("layers"))
	ids := make([]string, 0, len(entries))
	for _, e := range entries {
		ids = append(ids, strings.Replace(e.Name(), "sha256-", "sha256:", 1))
	}
	return ids, err
}

// Apply makes the layer id out of an uncompressed tar of changes to parent ("" for a first layer), and returns
// the bytes in its regular files. The stream is read to its end; any error, also one in place of the
// final io.EOF (say, of a reader that verifies a digest), leaves no layer behind. A layer that is there already,
// or that somebody else completes first, is kept: both callers succeed.
func (s *Store) Apply(id, parent string, tarStream io.Reader) (size int64, err error) {
	l, err := s.child(id, parent)
	if err != nil {
		return 0, err
	}
	d, err := s.draft(l)
	if err != nil {
		return 0, err
	}
	defer d.discard()
	u, err := newUnpacker(s, l, filepath.Join(d.dir, "diff"))
	if err != nil {
		return 0, err
	}
	if l.Size, err = u.unpack(tarStream); err != nil {
		return 0, fmt.Errorf("apply layer %s: %w", id, err)
	}
	if l.Link, err = s.link(id); err != nil {
		return 0, err
	}
	err = d.publish(l)
	if err != nil {
		_ = os.Remove(s.path(l.Link))
	}
	if errors.Is(err, ErrExists) {
		return l.Size, nil
	}
	return l.Size, err
}

// Fork makes the writable layer id on top of parent ("" for an empty root). It does not touch the parent's files
// with the overlay driver; vfs copies them all.
func (s *Store) Fork(id, parent string) error {
	l, err := s.child(id, parent)
	if err != nil {
		return err
	}
	d, err := s.draft(l)
	if err != nil {
		return err
	}
	defer d.discard()
	return d.publish(l)
}

// Mount returns the step that shows the layer id, and all below it, at the directory target. Writes go to the
// layer if it came from Fork; a layer that came from Apply is shown read-only.
func (s *Store) Mount(id, target string) (Mount, error) {
	l, err := s.layer(id)
	if err != nil {
		return Mount{}, err
	}
	if target, err = filepath.Abs(target); err != nil {
		return Mount{}, err
	}
	m := s.driver.mount(s, l)
	m.Target = target
	return m, nil
}

// Remove removes the layer id, which must not be mounted. A layer that others build on is ErrInUse.
func (s *Store) Remove(id string) error {
	l, err := s.layer(id)
	if err != nil {
		return err
	}
	if l.Link != "" {
		if err := s.unused(l); err != nil {
			return err
		}
	}
	trash := filepath.Join(s.path("tmp"), rand.Text())
	if err := os.Rename(s.path("layers", dirName(id)), trash); err != nil {
		return fmt.Errorf("remove layer %s: %w", id, err)
	}
	if l.Link != "" {
		_ = os.Remove(s.path(l.Link))
	}
	return s.driver.destroy(trash)
}

// unused is nil if no layer builds on l.
func (s *Store) unused(l layer) error {
	ids, err := s.List()
	if err != nil {
		return err
	}
	for _, id := range ids {
		if other, err := s.layer(id); err == nil && other.Parent == l.ID {
			return fmt.Errorf("remove layer %s: %w: %s", l.ID, ErrInUse, id)
		}
	}
	return nil
}

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

// diff is the directory of the layer's own files.
func (s *Store) diff(id string) string { return s.path("layers", dirName(id), "diff") }

// lowers are the directories below the layer's own, nearest first.
func (s *Store) lowers(l layer) []string {
	dirs := make([]string, len(l.Lower))
	for i, link := range l.Lower {
		dirs[i] = s.path(link)
	}
	return dirs
}

// layer reads the description of the layer id.
func (s *Store) layer(id string) (l layer, err error) {
	if err := checkID(id); err != nil {
		return l, err
	}
	b, err := os.ReadFile(s.path("layers", dirName(id), "layer.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return l, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	if err != nil {
		return l, err
	}
	if err := json.Unmarshal(b, &l); err != nil {
		return l, fmt.Errorf("read description of layer %s: %w", id, err)
	}
	return l, nil
}

// child describes a new layer id on top of parent.
func (s *Store) child(id, parent string) (layer, error) {
	l := layer{ID: id, Parent: parent}
	if err := checkID(id); err != nil || parent == "" {
		return l, err
	}
	p, err := s.layer(parent)
	if err != nil {
		return l, err
	}
	if p.Link == "" {
		return l, fmt.Errorf("layer %s cannot build on %s, which is writable", id, parent)
	}
	l.Lower = append([]string{p.Link}, p.Lower...)
	return l, nil
}

// link gives the layer id a short name.
func (s *Store) link(id string) (string, error) {
	for {
		name := filepath.Join("l", rand.Text()[:8])
		err := os.Symlink(filepath.Join("..", "layers", dirName(id), "diff"), s.path(name))
		if !errors.Is(err, fs.ErrExist) {
			return name, err
		}
	}
}

var idPattern = regexp.MustCompile(`^(sha256:)?[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$`)

func checkID(id string) error {
	if !idPattern.MatchString(id) {
		return fmt.Errorf("%w: %q", ErrName, id)
	}
	return nil
}

// dirName has no colon, which overlay's lowerdir= would take for the end of a name.
func dirName(id string) string { return strings.Replace(id, "sha256:", "sha256-", 1) }

// recover removes what a crash left behind: drafts that nobody holds, and short names of no layer.
func (s *Store) recover() error {
	drafts, err := os.ReadDir(s.path("tmp"))
	if err != nil {
		return err
	}
	for _, e := range drafts {
		if err := s.sweep(s.path("tmp", e.Name())); err != nil {
			return err
		}
	}
	links, err := os.ReadDir(s.path("l"))
	for _, e := range links {
		if _, err := os.Stat(s.path("l", e.Name())); errors.Is(err, fs.ErrNotExist) {
			_ = os.Remove(s.path("l", e.Name()))
		}
	}
	return err
}

// sweep removes one draft, unless its maker still holds the lock.
func (s *Store) sweep(dir string) error {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil
	}
	return s.driver.destroy(dir)
}
