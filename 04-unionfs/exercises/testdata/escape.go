package unionfs

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// openBeneathJoined puts the names together, and follows what links it finds.
//
// Caught by: outside
func openBeneathJoined(root *os.File, name string, flags uint64) (*os.File, error) {
	return os.OpenFile(procPath(root)+"/"+name, int(flags), 0)
}

// openBeneathCleaned looks for ".." in the name, where it is not.
//
// Caught by: outside
func openBeneathCleaned(root *os.File, name string, flags uint64) (*os.File, error) {
	if strings.Contains(name, "..") {
		return nil, &os.PathError{Op: "open", Path: name, Err: ErrEscape}
	}
	return openBeneathJoined(root, name, flags)
}

// openBeneathLast looks at the end of the name only.
//
// Caught by: outside
func openBeneathLast(root *os.File, name string, flags uint64) (*os.File, error) {
	return openBeneathJoined(root, name, flags|unix.O_NOFOLLOW)
}

// openBeneathRefused does not say that it was a link.
//
// Caught by: a link inside
func openBeneathRefused(root *os.File, name string, flags uint64) (*os.File, error) {
	how := &unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(int(root.Fd()), name, how)
	if err == unix.ELOOP {
		err = unix.EACCES
	}
	if err != nil {
		return nil, &os.PathError{Op: "openat2", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}
