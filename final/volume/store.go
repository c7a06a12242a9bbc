package volume

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
)

// A Store keeps volumes: a directory each, with the data in _data.
type Store struct{ dir string }

// ErrName is a name that no volume can have.
var ErrName = errors.New("includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path")

// name is moby's pattern (daemon/names). It is compiled when it is needed: the first
// processes of every container are the engine's binary, too, and would wait for it.
var name = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`) })

// OpenStore opens the store in dir, and makes it if there is none.
func OpenStore(dir string) (*Store, error) {
	return &Store{dir}, os.MkdirAll(dir, 0o711)
}

// Path is where the data of a volume is, or will be: it is made by the first
// start of a container that wants it, as a step of the plan ([Directory]).
func (s *Store) Path(volume string) (string, error) {
	if !name().MatchString(volume) {
		return "", fmt.Errorf("%q %w", volume, ErrName)
	}
	return filepath.Join(s.dir, volume, "_data"), nil
}

// Has tells whether there is such a volume.
func (s *Store) Has(volume string) bool {
	_, err := os.Stat(filepath.Join(s.dir, volume, "_data"))
	return name().MatchString(volume) && err == nil
}

// Remove deletes a volume with its data. One that is gone is no error.
func (s *Store) Remove(volume string) error {
	if !name().MatchString(volume) {
		return fmt.Errorf("%q %w", volume, ErrName)
	}
	err := os.RemoveAll(filepath.Join(s.dir, volume))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Anonymous is a name for a volume that nobody named.
func Anonymous() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand
	return hex.EncodeToString(b)
}
