package unionfs

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// draft is a layer in the making. It lives in tmp under a random name, locked with flock(2), until publish
// renames it into layers: a layer is there completely or not at all, whenever its maker dies.
type draft struct {
	s    *Store
	dir  string
	lock *os.File
}

func (s *Store) draft(l layer) (_ *draft, err error) {
	d := &draft{s: s, dir: s.path("tmp", rand.Text())}
	if err := os.Mkdir(d.dir, 0o711); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("make layer %s: %w", l.ID, err), s.driver.destroy(d.dir))
		}
	}()
	if d.lock, err = os.Open(d.dir); err != nil {
		return nil, err
	}
	if err := unix.Flock(int(d.lock.Fd()), unix.LOCK_EX); err != nil {
		return nil, os.NewSyscallError("flock", err)
	}
	parent := ""
	if l.Parent != "" {
		parent = s.diff(l.Parent)
	}
	return d, s.driver.create(d.dir, parent)
}

// publish makes the draft a layer.
func (d *draft) publish(l layer) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(d.dir, "layer.json"), append(b, '\n'), 0o600); err != nil {
		return err
	}
	final := d.s.path("layers", dirName(l.ID))
	err = os.Rename(d.dir, final)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, unix.ENOTEMPTY) {
		return fmt.Errorf("%w: %s", ErrExists, l.ID)
	}
	if err != nil {
		return err
	}
	d.dir = ""
	return nil
}

// discard removes the draft unless it was published.
func (d *draft) discard() {
	if d.dir != "" {
		_ = d.s.driver.destroy(d.dir)
	}
	_ = d.lock.Close()
}
