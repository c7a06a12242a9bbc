package images

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lease keeps what a running pull needs from being removed as unused: a file
// that lists digests (of blobs) and ChainIDs (of unpacked layers), and that
// its owner holds locked. When the owner dies, the kernel drops the flock(2),
// and the next one to look at the file knows that nobody needs it.
type lease struct{ file *os.File }

// lease must be taken before asking whether a blob is there: what was there
// when asked stays there then.
func (s *Store) lease(digests []string) (*lease, error) {
	unlock, err := s.lock() // without it, leased could find the file before it is locked
	if err != nil {
		return nil, err
	}
	defer unlock()
	f, err := os.CreateTemp(s.path(leaseDir), "")
	if err != nil {
		return nil, err
	}
	l := &lease{f}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		l.release()
		return nil, &fs.PathError{Op: "flock", Path: f.Name(), Err: err}
	}
	if err := json.NewEncoder(f).Encode(digests); err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

func (l *lease) release() {
	os.Remove(l.file.Name())
	l.file.Close()
}

// leased returns all that is under a living lease. The store must be locked.
func (s *Store) leased() (map[string]bool, error) {
	names, err := filepath.Glob(s.path(leaseDir + "/*"))
	if err != nil {
		return nil, err
	}
	needed := map[string]bool{}
	for _, name := range names {
		digests, err := readLease(name)
		if err != nil && !absent(err) {
			return nil, err
		}
		for _, d := range digests {
			needed[d] = true
		}
	}
	return needed, nil
}

func readLease(name string) (digests []string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if err == nil {
		return nil, os.Remove(name) // its owner died
	}
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return nil, &fs.PathError{Op: "flock", Path: name, Err: err}
	}
	return digests, json.NewDecoder(f).Decode(&digests)
}
