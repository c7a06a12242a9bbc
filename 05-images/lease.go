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
	// Under the lock, for whoever removes things must see the lease before he begins, or be done.
	err = s.locked(func() error {
		f, err := os.CreateTemp(s.path(leaseDir), "")
		if err != nil {
			return err
		}
		release = func() {
			os.Remove(f.Name())
			f.Close()
		}
		if err = errors.Join(flock(f, unix.LOCK_EX), json.NewEncoder(f).Encode(digests)); err != nil {
			release()
		}
		return err
	})
	return release, err
}

// leased returns all that is under a living lease. The store must be locked.
func (s *Store) leased() (map[string]bool, error) {
	needed := map[string]bool{}
	files, err := filepath.Glob(s.path(leaseDir + "/*"))
	for _, file := range files {
		f, openErr := os.Open(file)
		if openErr != nil { // it ended just now
			continue
		}
		defer f.Close()
		if flock(f, unix.LOCK_SH|unix.LOCK_NB) == nil { // its owner died
			os.Remove(file)
			continue
		}
		var digests []string
		err = errors.Join(err, json.NewDecoder(f).Decode(&digests))
		for _, d := range digests {
			needed[d] = true
		}
	}
	return needed, err
}
