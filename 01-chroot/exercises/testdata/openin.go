package chroot

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// OpenInJoined puts the names together.
//
// Caught by: a name that leads out
func OpenInJoined(root, name string, how unix.OpenHow) (*os.File, error) {
	return os.OpenFile(filepath.Join(root, name), int(how.Flags), os.FileMode(how.Mode))
}

// OpenInChecked looks first.
//
// Caught by: a link inside
func OpenInChecked(root, name string, how unix.OpenHow) (*os.File, error) {
	path, err := filepath.EvalSymlinks(filepath.Join(root, name))
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(path, root+"/") {
		return nil, &os.PathError{Op: "open", Path: path, Err: os.ErrNotExist}
	}
	return os.OpenFile(path, int(how.Flags), os.FileMode(how.Mode))
}

// OpenInBeneath refuses what it should follow.
//
// Caught by: a link inside
func OpenInBeneath(root, name string, how unix.OpenHow) (*os.File, error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f, err := r.OpenFile(name, int(how.Flags), os.FileMode(how.Mode))
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
	}
	return f, nil
}

// OpenInInherited gives the descriptor to every program that is started.
//
// Caught by: close-on-exec
func OpenInInherited(root, name string, how unix.OpenHow) (*os.File, error) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	how.Resolve |= unix.RESOLVE_IN_ROOT
	for {
		fd, err := unix.Openat2(dir, name, &how)
		if err == unix.EAGAIN {
			continue
		}
		if err != nil {
			return nil, &os.PathError{Op: "openat2", Path: name, Err: err}
		}
		return os.NewFile(uintptr(fd), name), nil
	}
}
