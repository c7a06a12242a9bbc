package images

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lease keeps what a running pull needs from being removed as unused: a file
// that lists digests (of blobs) and ChainIDs (of unpacked layers), and that
// its owner holds locked. When the owner dies, the kernel drops the flock(2),
// and the next one to look at the file knows that nobody needs it.
//
// A lease is taken before asking whether a blob is there: what is there then, stays.
func (s *Store) lease(digests []string) (release func(), err error) {
	f, err := os.CreateTemp(s.path(ingestDir), temporary)
	if err != nil {
		return nil, err
	}
	name := s.path(filepath.Join(leaseDir, filepath.Base(f.Name())))
	release = func() {
		os.Remove(name)
		f.Close()
	}
	err = errors.Join(flock(f, unix.LOCK_EX), json.NewEncoder(f).Encode(digests))
	// Under the lock, for whoever removes things must see the lease before he begins, or be done.
	if err := errors.Join(err, s.locked(func() error { return os.Rename(f.Name(), name) })); err != nil {
		os.Remove(f.Name())
		release()
		return nil, err
	}
	return release, nil
}

// leased returns all that is under a living lease. The store must be locked.
func (s *Store) leased() (map[string]bool, error) {
	needed := map[string]bool{}
	names, err := filepath.Glob(s.path(leaseDir + "/" + temporary + "*"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		digests, err := readLease(name)
		if err != nil && !errors.Is(err, os.ErrNotExist) { // it ended just now
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
	err = flock(f, unix.LOCK_SH|unix.LOCK_NB)
	if err == nil {
		return nil, os.Remove(name) // its owner died
	}
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return nil, err
	}
	return digests, json.NewDecoder(f).Decode(&digests)
}
