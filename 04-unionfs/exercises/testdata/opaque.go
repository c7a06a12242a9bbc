package unionfs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// hideAllInWords keeps the archive's way to say it.
//
// Caught by: attribute
func (u *unpacker) hideAllInWords(dir, _ string) error {
	return os.WriteFile(dir+"/"+whiteoutPrefix+opaqueName, nil, 0o600)
}

// hideAllAndNoMore forgets the whiteouts that came before.
//
// Caught by: left over
func (u *unpacker) hideAllAndNoMore(dir, _ string) error {
	return opaque(dir)
}

// hideAllAtTheTop removes the whiteouts of one directory.
//
// Caught by: left over below
func (u *unpacker) hideAllAtTheTop(dir, _ string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		var st unix.Stat_t
		file := dir + "/" + e.Name()
		if unix.Lstat(file, &st) == nil && isWhiteout(&st) {
			err = os.Remove(file)
		}
	}
	return errors.Join(err, opaque(dir))
}
