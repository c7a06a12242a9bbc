package unionfs

import (
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Usage returns the bytes in regular files of the layer's own directory, each counted once however many names it has.
func (s *Store) Usage(id string) (bytes int64, err error) {
	if _, err := s.layer(id); err != nil {
		return 0, err
	}
	seen := map[inode]bool{}
	err = filepath.WalkDir(s.diff(id), func(name string, _ fs.DirEntry, err error) error {
		var st unix.Stat_t
		if err != nil {
			return err
		}
		if err := unix.Lstat(name, &st); err != nil {
			return &os.PathError{Op: "lstat", Path: name, Err: err}
		}
		key := inode{st.Dev, st.Ino}
		if st.Mode&unix.S_IFMT == unix.S_IFREG && !seen[key] {
			seen[key] = true
			bytes += st.Size
		}
		return nil
	})
	return bytes, err
}
