package images

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"
)

// Files of a store, below its directory. The first three are the standard OCI
// image layout (image-spec, "image-layout.md"), which other tools open.
const (
	layoutFile = "oci-layout"
	indexFile  = "index.json"
	blobsDir   = "blobs/sha256"
	ingestDir  = "ingest" // blobs that have not arrived in full, by digest
	leaseDir   = "leases" // what running pulls need, see lease
	lockFile   = "lock"   // flock(2) held while index.json is changed or blobs are removed

	layoutVersion = `{"imageLayoutVersion":"1.0.0"}`
	temporary     = ".tmp-" // prefix of files that get their name when they are complete
)

// Store keeps images in a directory. All methods may be called from many
// goroutines, and many processes may use one directory.
type Store struct {
	dir    string
	view   atomic.Pointer[view] // what index.json said when last read
	parsed sync.Map             // manifest's digest → Image without names, which never changes
}

// OpenStore opens the store in dir and makes it if there is none.
func OpenStore(dir string) (*Store, error) {
	s := &Store{dir: dir}
	for _, sub := range []string{blobsDir, ingestDir, leaseDir} {
		if err := os.MkdirAll(s.path(sub), 0o755); err != nil {
			return nil, err
		}
	}
	return locked(s, func() (*Store, error) {
		if _, err := os.Stat(s.path(indexFile)); err == nil {
			return s, nil
		}
		if err := s.writeFile(s.path(layoutFile), []byte(layoutVersion)); err != nil {
			return nil, err
		}
		return s, s.writeIndex(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}})
	})
}

func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }

// locked does something while no other goroutine and no other process changes
// index.json or removes blobs. The kernel unlocks if this process dies.
func locked[T any](s *Store, do func() (T, error)) (result T, err error) {
	f, err := os.OpenFile(s.path(lockFile), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return result, err
	}
	defer f.Close()
	if err := flock(f, unix.LOCK_EX); err != nil {
		return result, err
	}
	return do()
}

// flock is flock(2). A lock belongs to the open file: whoever opens the file
// for himself waits, in this process too, and closing it unlocks.
func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EINTR) {
			return &os.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
	}
}

// update changes index.json in one step: whoever reads it sees all of change
// or nothing of it.
func (s *Store) update(change func(*v1.IndexManifest) error) error {
	_, err := locked(s, func() (any, error) { return nil, s.change(change) })
	return err
}

func (s *Store) change(change func(*v1.IndexManifest) error) error {
	index, err := s.readIndex()
	if err != nil {
		return err
	}
	if err := change(&index); err != nil {
		return err
	}
	return s.writeIndex(index)
}

func (s *Store) readIndex() (index v1.IndexManifest, err error) {
	b, err := os.ReadFile(s.path(indexFile))
	if err != nil {
		return index, err
	}
	if err := json.Unmarshal(b, &index); err != nil {
		return index, fmt.Errorf("parse %s: %w", s.path(indexFile), err)
	}
	return index, nil
}

func (s *Store) writeIndex(index v1.IndexManifest) error {
	b, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return err
	}
	return s.writeFile(s.path(indexFile), b)
}

// writeFile replaces a file so that a crash leaves the old or the new content:
// a rename(2) is atomic, and the data are on disk before it.
func (s *Store) writeFile(name string, data []byte) error {
	return s.atomically(func(f *os.File) (string, error) {
		_, err := f.Write(data)
		return name, err
	})
}

// atomically makes a file that gets the name which fill returns when it is
// complete and on disk.
func (s *Store) atomically(fill func(*os.File) (name string, err error)) error {
	f, err := os.CreateTemp(s.path(ingestDir), temporary)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	name, err := fill(f)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync()); err != nil {
		return err
	}
	return rename(f.Name(), name)
}

// rename renames and waits until the directory entry is on disk too.
func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// lease keeps what a running pull needs from being removed as unused: a file
// that lists digests (of blobs) and ChainIDs (of unpacked layers), and that
// its owner holds locked. When the owner dies, the kernel drops the flock(2),
// and the next one to look at the file knows that nobody needs it.
//
// A lease is taken before asking whether a blob is there: what is there then, stays.
func (s *Store) lease(digests []string) (release func(), err error) {
	// Under the lock, for whoever removes things must see the lease before he begins, or be done.
	return locked(s, func() (func(), error) {
		f, err := os.CreateTemp(s.path(leaseDir), "")
		if err != nil {
			return nil, err
		}
		release := func() {
			os.Remove(f.Name())
			f.Close()
		}
		if err = errors.Join(flock(f, unix.LOCK_EX), json.NewEncoder(f).Encode(digests)); err != nil {
			release()
		}
		return release, err
	})
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
