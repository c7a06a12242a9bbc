package images

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"

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
)

// Annotations of the descriptors in index.json: one descriptor is one name.
const (
	nameAnnotation = "io.containerd.image.name"          // canonical; containerd's and Docker's
	refAnnotation  = "org.opencontainers.image.ref.name" // familiar; what follows "oci:DIR:" in skopeo
)

// Store keeps images in a directory. All methods may be called from many
// goroutines, and many processes may use one directory.
type Store struct {
	dir  string
	view atomic.Pointer[view] // what index.json said when last read
}

// OpenStore opens the store in dir and makes it if there is none.
func OpenStore(dir string) (*Store, error) {
	s := &Store{dir: dir}
	for _, sub := range []string{blobsDir, ingestDir, leaseDir} {
		if err := os.MkdirAll(s.path(sub), 0o755); err != nil {
			return nil, err
		}
	}
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := os.Stat(s.path(indexFile)); err == nil {
		return s, nil
	}
	if err := writeFile(s.path(layoutFile), []byte(layoutVersion)); err != nil {
		return nil, err
	}
	return s, s.writeIndex(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}})
}

func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }

// lock keeps all other goroutines and processes from changing index.json and
// from removing blobs. The kernel drops it if this process dies.
func (s *Store) lock() (unlock func(), err error) {
	f, err := os.OpenFile(s.path(lockFile), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX); err != unix.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, &fs.PathError{Op: "flock", Path: f.Name(), Err: err}
	}
	return func() { f.Close() }, nil
}

// update changes index.json in one step: whoever reads it sees all of change
// or nothing of it.
func (s *Store) update(change func(*v1.IndexManifest) error) error {
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
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
	return writeFile(s.path(indexFile), b)
}

// writeFile replaces a file so that a crash leaves the old or the new content:
// a rename(2) is atomic, and the data are on disk before it.
func writeFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".tmp-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
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

// stamp tells one index.json from the next: each is a new file.
type stamp struct {
	inode uint64
	mtime syscall.Timespec
	size  int64
}

func (s *Store) stamp() (stamp, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(s.path(indexFile), &st); err != nil {
		return stamp{}, &fs.PathError{Op: "stat", Path: s.path(indexFile), Err: err}
	}
	return stamp{st.Ino, st.Mtim, st.Size}, nil
}
