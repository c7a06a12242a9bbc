package unionfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// opaqueInWords keeps the archive's way to say it.
//
// Caught by: attribute
func opaqueInWords(dir *os.File) error {
	return os.WriteFile(procPath(dir)+"/"+whiteoutPrefix+opaqueName, nil, 0o600)
}

// opaqueAndNoMore forgets the whiteouts that came before.
//
// Caught by: left over
func opaqueAndNoMore(dir *os.File) error {
	return unix.Lsetxattr(procPath(dir)+"/.", opaqueMark(), []byte("y"), 0)
}

// opaqueAtTheTop removes the whiteouts of one directory.
//
// Caught by: left over below
func opaqueAtTheTop(dir *os.File) error {
	if err := opaqueAndNoMore(dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(procPath(dir) + "/.")
	for _, e := range entries {
		var st unix.Stat_t
		file := procPath(dir) + "/" + e.Name()
		if unix.Lstat(file, &st) == nil && isWhiteout(&st) {
			err = os.Remove(file)
		}
	}
	return err
}
