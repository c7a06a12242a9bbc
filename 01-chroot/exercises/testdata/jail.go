package chroot

import (
	"os"

	"golang.org/x/sys/unix"
)

// DoWithoutChdir leaves the working directory outside.
//
// Caught by: working directory
func (c Chroot) DoWithoutChdir() error {
	if err := unix.Chroot(c.Root); err != nil {
		return &os.PathError{Op: "chroot", Path: c.Root, Err: err}
	}
	return nil
}

// DoOnlyChdir goes there, and is not kept there.
//
// Caught by: root directory
func (c Chroot) DoOnlyChdir() error { return os.Chdir(c.Root) }

// DoSilently believes that a system call works.
//
// Caught by: told error
func (c Chroot) DoSilently() error {
	_ = unix.Chroot(c.Root)
	_ = unix.Chdir("/")
	return nil
}
