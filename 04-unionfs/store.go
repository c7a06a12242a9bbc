package unionfs

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Errors of a store's methods.
var (
	ErrNotFound = errors.New("no such layer")
	ErrExists   = errors.New("layer exists already")
	ErrInUse    = errors.New("layer has others on top of it")
	ErrName     = errors.New("not a layer ID")
)

// Store is a directory of layers. Its methods may be called by many goroutines at once, and by many processes that
// opened the same directory.
//
//	DIR/overlay/layers/sha256-2c26…/layer.json   what the layer is
//	                               /diff/        its files
//	                               /work/        overlay's own scratch directory
//	           /l/ABCDEFGH                       a short name for the layer's diff: a symbolic link
//	           /tmp/…                            layers that are being made or removed
//
// Invariants:
//
//  1. A layer exists when its directory in layers does; that comes and goes by rename(2), complete.
//  2. The files of a layer from Apply never change. Only those of a layer from Fork do, and nothing builds on it.
//  3. Whoever works in tmp holds a shared lock on it, flock(2). What is there without a lock is left over from a crash.
type Store struct {
	dir    string
	driver named
	reason string
	held   io.Closer // the driver's; may be nil
}

// Open opens the store in dir, and makes it if need be. What a crash left half-made or half-removed is removed. The driver is "overlay",
// "fuse-overlayfs", "btrfs", "vfs" or "devicemapper"; "" is the one that made the layers that are there, else the best that works. One that is
// unknown, or that was named and does not work here, is an error that says why.
func Open(dir, driver string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s, err := choose(dir, driver)
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

// Close lets go of what the driver holds, as the end of the process does. Mounts stay.
func (s *Store) Close() error {
	if s.held == nil {
		return nil
	}
	return s.held.Close()
}

// Driver returns the name of the driver in use.
func (s *Store) Driver() string { return s.driver.name }

// Reason says why that driver is in use.
func (s *Store) Reason() string { return s.reason }

// Has reports whether the layer id is there, complete.
func (s *Store) Has(id string) bool {
	_, err := s.layer(id)
	return err == nil
}

// List returns the IDs of all layers, in the order of their names.
func (s *Store) List() ([]string, error) {
	entries, err := os.ReadDir(s.path("layers"))
	ids := make([]string, 0, len(entries))
	for _, e := range entries {
		ids = append(ids, strings.Replace(e.Name(), "sha256-", "sha256:", 1))
	}
	return ids, err
}

// Apply makes the layer id out of an uncompressed tar archive of changes to the layer parent ("" for a first layer), and returns
// the bytes in its regular files. The stream is read to its end. Any error, also one that a
// verifying reader returns in place of the last io.EOF, leaves no layer behind. A layer that is there already, or
// that somebody else completes first, is kept: both callers succeed.
func (s *Store) Apply(id, parent string, tarStream io.Reader) (size int64, err error) {
	if l, err := s.layer(id); err == nil {
		_, err = io.Copy(io.Discard, tarStream)
		return l.Size, err
	}
	d, err := s.draft(id, parent)
	if err != nil {
		return 0, err
	}
	defer d.discard()
	if err := d.unpack(tarStream); err != nil {
		return 0, fmt.Errorf("apply layer %s: %w", id, err)
	}
	d.Link = filepath.Join("l", rand.Text()[:8]) // leads nowhere until publish
	if err := os.Symlink(filepath.Join("..", "layers", dirName(id), "diff"), s.path(d.Link)); err != nil {
		return 0, err
	}
	if err := d.publish(); !errors.Is(err, ErrExists) {
		return d.Size, err
	}
	return d.Size, nil
}

// unpack writes an archive into the draft. What the disk refuses later shows now.
func (d *draft) unpack(tarStream io.Reader) error {
	root, err := d.s.tree(d.layer)
	if err != nil {
		return err
	}
	u := &unpacker{union: d.s.driver.union, root: root, lowers: d.s.lowers(d.layer)}
	err = u.unpack(tarStream)
	d.Size, d.Types = u.size, u.types
	if d.Device != 0 {
		err = d.full(root, err)
	}
	return errors.Join(err, root.Close())
}

// tree opens the directory of the layer's files. Those of a device are seen nowhere else.
func (s *Store) tree(l layer) (*os.File, error) {
	if m := s.driver.mount(s, l); m.Thin != nil {
		return m.Thin.mount(m.Options)
	}
	return os.Open(l.diff())
}

// open opens the layer id with the directory of its files.
func (s *Store) open(id string) (l layer, tree *os.File, err error) {
	if l, err = s.layer(id); err == nil {
		tree, err = s.tree(l)
	}
	return l, tree, err
}

// Fork makes the writable layer id on top of parent ("" for an empty root). It copies nothing with the overlay drivers,
// nothing at first with btrfs, and everything with vfs.
func (s *Store) Fork(id, parent string) error {
	d, err := s.draft(id, parent)
	if err != nil {
		return err
	}
	defer d.discard()
	return d.publish()
}

// Mount returns the step that shows the layer id, and all below it, at the directory target. Writes go into a
// layer from Fork; a layer from Apply is shown read-only.
func (s *Store) Mount(id, target string) (Mount, error) {
	l, err := s.layer(id)
	if err != nil {
		return Mount{}, err
	}
	m := s.driver.mount(s, l)
	m.Target, err = filepath.Abs(target)
	return m, err
}

// Remove removes the layer id, which must not be mounted. A layer that others build on is refused with ErrInUse.
func (s *Store) Remove(id string) error {
	l, err := s.layer(id)
	if err != nil {
		return err
	}
	d, err := s.begin(layer{})
	if err != nil {
		return err
	}
	defer d.discard()
	if err := d.retract(l); err != nil {
		return fmt.Errorf("remove layer %s: %w", id, err)
	}
	return s.driver.destroy(d.dir)
}
