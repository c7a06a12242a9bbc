package unionfs

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// layer is what layer.json holds.
type layer struct {
	ID     string   `json:"id"`
	Parent string   `json:"parent,omitempty"`
	Link   string   `json:"link,omitempty"`  // l/ABCDEFGH; "" for a layer from Fork
	Lower  []string `json:"lower,omitempty"` // links of the layers below, nearest first
	Size   int64    `json:"size"`            // bytes in the regular files of the archive
}

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

// diff is the directory of the layer's files.
func (s *Store) diff(id string) string { return s.path("layers", dirName(id), "diff") }

// lowers are the diffs of the layers below l, nearest first.
func (s *Store) lowers(l layer) []string {
	dirs := make([]string, len(l.Lower))
	for i, link := range l.Lower {
		dirs[i] = s.path(link)
	}
	return dirs
}

// layer reads the description of the layer id.
func (s *Store) layer(id string) (l layer, err error) {
	if !validID(id) {
		return l, fmt.Errorf("%w: %q", ErrName, id)
	}
	b, err := os.ReadFile(s.path("layers", dirName(id), "layer.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return l, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	if err == nil {
		err = json.Unmarshal(b, &l)
	}
	if err != nil {
		return l, fmt.Errorf("read layer %s: %w", id, err)
	}
	return l, nil
}

// validID: a directory can have this name, and nobody can climb out with it.
func validID(id string) bool {
	name := strings.TrimPrefix(id, "sha256:")
	special := func(r rune) bool { return !strings.ContainsRune(idRunes, r) }
	return name != "" && len(name) <= 128 && !strings.ContainsAny(name[:1], "_.-") && !strings.ContainsFunc(name, special)
}

const idRunes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

// dirName has no colon: overlay's lowerdir= would take it for the end of a name.
func dirName(id string) string { return strings.Replace(id, "sha256:", "sha256-", 1) }

// draft is a layer in the making, or one that is being removed.
type draft struct {
	layer

	s    *Store
	dir  string   // in tmp
	held *os.File // tmp, locked
}

// hold locks a directory of the store, flock(2), until the file is closed.
func (s *Store) hold(sub string, how int) (*os.File, error) {
	f, err := os.Open(s.path(sub))
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), how); err != nil {
		return nil, errors.Join(os.NewSyscallError("flock", err), f.Close())
	}
	return f, nil
}

// begin begins a draft: it names a directory that is not there yet.
func (s *Store) begin() (*draft, error) {
	f, err := s.hold("tmp", unix.LOCK_SH)
	if err != nil {
		return nil, err
	}
	return &draft{s: s, dir: s.path("tmp", rand.Text()), held: f}, nil
}

// draft begins the layer id on top of parent.
func (s *Store) draft(id, parent string) (*draft, error) {
	l := layer{ID: id, Parent: parent}
	if !validID(id) {
		return nil, fmt.Errorf("%w: %q", ErrName, id)
	}
	below := ""
	if parent != "" {
		p, err := s.layer(parent)
		if err != nil {
			return nil, fmt.Errorf("make layer %s: %w", id, err)
		}
		if p.Link == "" {
			return nil, fmt.Errorf("make layer %s: %s is writable, nothing can build on it", id, parent)
		}
		l.Lower = append([]string{p.Link}, p.Lower...)
		below = s.diff(parent)
	}
	d, err := s.begin()
	if err != nil {
		return nil, err
	}
	d.layer = l
	err = os.Mkdir(d.dir, 0o711)
	if err == nil {
		err = s.driver.create(d.dir, below)
	}
	if err != nil {
		d.discard()
		return nil, fmt.Errorf("make layer %s: %w", id, err)
	}
	return d, nil
}

// link gives the layer its short name, which leads nowhere until publish.
func (d *draft) link() error {
	for {
		d.Link = filepath.Join("l", rand.Text()[:8])
		err := os.Symlink(filepath.Join("..", "layers", dirName(d.ID), "diff"), d.s.path(d.Link))
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
}

// publish makes the draft a layer, unless there is one with its ID: ErrExists. The lock keeps Remove from
// taking the parent away meanwhile.
func (d *draft) publish() error {
	b, err := json.Marshal(d.layer)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(d.dir, "layer.json"), b, 0o600); err != nil {
		return err
	}
	lock, err := d.s.hold("layers", unix.LOCK_SH)
	if err != nil {
		return err
	}
	defer lock.Close()
	if d.Parent != "" && !d.s.Has(d.Parent) {
		return fmt.Errorf("make layer %s: %w: %s", d.ID, ErrNotFound, d.Parent)
	}
	// rename(2) replaces an empty directory, and no layer is one.
	err = os.Rename(d.dir, d.s.path("layers", dirName(d.ID)))
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s", ErrExists, d.ID)
	}
	if err == nil {
		d.dir = ""
	}
	return err
}

// retract makes layer l a draft again, unless another builds on it.
func (d *draft) retract(l layer) error {
	lock, err := d.s.hold("layers", unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer lock.Close()
	if l.Link != "" {
		if err := d.s.unused(l.ID); err != nil {
			return err
		}
	}
	if err := os.Rename(d.s.path("layers", dirName(l.ID)), d.dir); err != nil {
		return err
	}
	d.Link = l.Link
	return nil
}

// unused is nil if no layer builds on the layer id.
func (s *Store) unused(id string) error {
	ids, err := s.List()
	for _, other := range ids {
		if l, err := s.layer(other); err == nil && l.Parent == id {
			return fmt.Errorf("%w: %s", ErrInUse, other)
		}
	}
	return err
}

// discard ends the draft, and removes what was not published.
func (d *draft) discard() {
	if d.dir != "" {
		_ = d.s.driver.destroy(d.dir) // recover removes what this does not
	}
	if d.dir != "" && d.Link != "" {
		_ = os.Remove(d.s.path(d.Link))
	}
	_ = d.held.Close()
}

// recover removes what a crash left behind: drafts, layers without description, short names of no layer. If somebody is
// busy in the store, it leaves that to the next who opens it.
func (s *Store) recover() error {
	lock, err := s.hold("tmp", unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	layers, err := os.ReadDir(s.path("layers"))
	for _, e := range layers { // a machine that lost power may have kept the name and lost the content
		if b, rerr := os.ReadFile(s.path("layers", e.Name(), "layer.json")); rerr != nil || !json.Valid(b) {
			err = errors.Join(err, os.Rename(s.path("layers", e.Name()), s.path("tmp", e.Name())))
		}
	}
	drafts, derr := os.ReadDir(s.path("tmp"))
	for _, e := range drafts {
		derr = errors.Join(derr, s.driver.destroy(s.path("tmp", e.Name())))
	}
	links, lerr := os.ReadDir(s.path("l"))
	for _, e := range links {
		if _, serr := os.Stat(s.path("l", e.Name())); errors.Is(serr, fs.ErrNotExist) {
			lerr = errors.Join(lerr, os.Remove(s.path("l", e.Name())))
		}
	}
	return errors.Join(err, derr, lerr)
}
