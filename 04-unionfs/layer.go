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
	Link   string   `json:"link,omitempty"`   // l/ABCDEFGH; "" for a layer from Fork
	Lower  []string `json:"lower,omitempty"`  // links of the layers below, nearest first
	Size   int64    `json:"size"`             // bytes in the regular files of the archive
	Device uint32   `json:"device,omitempty"` // devicemapper: the number of its device
	Types  uint32   `json:"types,omitempty"`  // S_IFMT if the archive's modes had the type of the file in them, as Docker's and podman's have

	dir string // where it is: in layers or, as a draft, in tmp
}

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

// diff is the directory of the layer's files.
func (l layer) diff() string { return filepath.Join(l.dir, "diff") }

// mode is the option with which the layer is mounted: only one from Fork is written to.
func (l layer) mode() []string {
	if l.Link == "" {
		return nil
	}
	return []string{"ro"}
}

// lowers are the diffs of the layers below l, nearest first; none if l has the whole tree.
func (s *Store) lowers(l layer) []string {
	if !s.driver.union {
		return nil
	}
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
	l.dir = s.path("layers", dirName(id))
	b, err := os.ReadFile(filepath.Join(l.dir, "layer.json"))
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
	held *os.File // tmp, locked
}

// hold locks a directory, flock(2), until the file is closed.
func hold(dir string, how int) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), how); err != nil {
		return nil, errors.Join(os.NewSyscallError("flock", err), f.Close())
	}
	return f, nil
}

// begin begins a draft: it names a directory that is not there yet.
func (s *Store) begin(l layer) (*draft, error) {
	f, err := hold(s.path("tmp"), unix.LOCK_SH)
	l.dir = s.path("tmp", rand.Text())
	return &draft{s: s, layer: l, held: f}, err
}

// draft begins the layer id on top of parent.
func (s *Store) draft(id, parent string) (d *draft, err error) {
	if !validID(id) {
		return nil, fmt.Errorf("%w: %q", ErrName, id)
	}
	l := layer{ID: id, Parent: parent}
	var below *layer
	if parent != "" {
		p, err := s.layer(parent)
		if err == nil && p.Link == "" {
			err = fmt.Errorf("%s is writable, nothing can build on it", parent)
		}
		if err != nil {
			return nil, fmt.Errorf("make layer %s: %w", id, err)
		}
		l.Lower = append([]string{p.Link}, p.Lower...)
		below = &p
	}
	if d, err = s.begin(l); err != nil {
		return nil, err
	}
	if err = os.Mkdir(d.dir, 0o711); err == nil {
		err = s.driver.create(d, below)
	}
	if err != nil {
		d.discard()
		return nil, fmt.Errorf("make layer %s: %w", id, err)
	}
	return d, nil
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
	lock, err := hold(d.s.path("layers"), unix.LOCK_SH)
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
	lock, err := hold(d.s.path("layers"), unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer lock.Close()
	var ids []string
	if l.Link != "" { // nothing builds on a writable one
		ids, err = d.s.List()
	}
	for _, other := range ids {
		if o, oerr := d.s.layer(other); oerr == nil && o.Parent == l.ID {
			return fmt.Errorf("%w: %s", ErrInUse, other)
		}
	}
	if err == nil {
		err = os.Rename(l.dir, d.dir)
	}
	if err == nil {
		d.Link = l.Link
	}
	return err
}

// discard ends the draft, and removes what was not published.
func (d *draft) discard() {
	if d.dir != "" {
		_ = d.s.driver.destroy(d.dir) // recover removes what this does not
		if d.Link != "" {
			_ = os.Remove(d.s.path(d.Link))
		}
	}
	_ = d.held.Close()
}

// recover removes what a crash left behind: drafts, layers without description, short names of no layer. If somebody is
// busy in the store, it leaves that to the next who opens it.
func (s *Store) recover() error {
	lock, err := hold(s.path("tmp"), unix.LOCK_EX|unix.LOCK_NB)
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
		if rerr := s.driver.destroy(s.path("tmp", e.Name())); !errors.Is(rerr, unix.EBUSY) { // somebody still has it mounted: another time
			derr = errors.Join(derr, rerr)
		}
	}
	links, lerr := os.ReadDir(s.path("l"))
	for _, e := range links {
		to, _ := os.Readlink(s.path("l", e.Name()))
		if _, serr := os.Stat(s.path("l", filepath.Dir(to))); errors.Is(serr, fs.ErrNotExist) {
			lerr = errors.Join(lerr, os.Remove(s.path("l", e.Name())))
		}
	}
	return errors.Join(err, derr, lerr)
}
