package unionfs

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// openJoined puts the names together, and follows what links it finds.
//
// Caught by: outside
func (u *unpacker) openJoined(name string) (*os.File, error) {
	return os.Open(filepath.Join(procPath(u.root), name))
}

// openCleaned looks for ".." in the name, where it is not.
//
// Caught by: outside
func (u *unpacker) openCleaned(name string) (*os.File, error) {
	if strings.Contains(name, "..") {
		return nil, &os.PathError{Op: "open", Path: name, Err: ErrEscape}
	}
	fd, err := unix.Openat(int(u.root.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "openat", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// openBeneath refuses every absolute link.
//
// Caught by: a link inside
func (u *unpacker) openBeneath(name string) (*os.File, error) {
	how := &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH}
	fd, err := unix.Openat2(int(u.root.Fd()), name, how)
	if err != nil {
		return nil, &os.PathError{Op: "openat2", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}
