package unionfs

import (
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// hideInWords keeps the archive's way to say it, which the kernel does not know.
//
// Caught by: on disk
func (u *unpacker) hideInWords(dir *os.File, name string) (bool, error) {
	return false, os.WriteFile(procPath(dir)+"/"+whiteoutPrefix+path.Base(name), nil, 0o600)
}

// hideByRemoving believes that a layer can take away what another has.
//
// Caught by: on disk
func (u *unpacker) hideByRemoving(dir *os.File, name string) (bool, error) {
	return false, os.RemoveAll(procPath(dir) + "/" + path.Base(name))
}

// hideAlways does not look whether there is something to hide.
//
// Caught by: nothing to hide
func (u *unpacker) hideAlways(dir *os.File, name string) (bool, error) {
	kind, err := kindOf(dir, path.Base(name))
	if err != nil || kind != 0 {
		return false, err
	}
	return true, unix.Mknodat(int(dir.Fd()), path.Base(name), unix.S_IFCHR, 0)
}

// hideEverything takes the file that came with the archive for one from below.
//
// Caught by: its own
func (u *unpacker) hideEverything(dir *os.File, name string) (bool, error) {
	base := path.Base(name)
	below := find(u.lowers, name).file != ""
	if err := os.RemoveAll(procPath(dir) + "/" + base); err != nil || !below {
		return false, err
	}
	return true, unix.Mknodat(int(dir.Fd()), base, unix.S_IFCHR, 0)
}
