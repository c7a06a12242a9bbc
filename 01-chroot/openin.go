package chroot

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// OpenIn opens name as a process would whose root is root, without becoming
// one: the kernel takes "/" and ".." and every symbolic link, absolute or not,
// to start or to stop at root (openat2(2), RESOLVE_IN_ROOT; since Linux 5.6).
// It is how the engine touches files of an image that nobody trusts.
//
// how is open(2)'s flags and mode; O_CLOEXEC is added. Errors are
// *os.PathError. Not guaranteed: that the file is a regular file (look, with
// O_PATH, before you read from a device), or that root itself is what you
// think; it is resolved as usual.
func OpenIn(root, name string, how unix.OpenHow) (*os.File, error) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: root, Err: err}
	}
	defer unix.Close(dir)

	how.Flags |= unix.O_CLOEXEC
	how.Resolve |= unix.RESOLVE_IN_ROOT
	for {
		fd, err := unix.Openat2(dir, name, &how)
		// EAGAIN: something was renamed or mounted on the way while a ".." was
		// walked, and the kernel will not guess (openat2(2)).
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			continue
		}
		path := strings.TrimSuffix(root, "/") + "/" + strings.TrimPrefix(name, "/")
		if err != nil {
			return nil, &os.PathError{Op: "openat2", Path: path, Err: err}
		}
		return os.NewFile(uintptr(fd), path), nil
	}
}
