package chroot

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Chroot makes absolute paths start at Root, so that a process sees another
// tree of files. It moves no mounts and is no boundary: see [Escapes].
//
// It needs CAP_SYS_CHROOT, and changes the calling thread (and the threads
// that share its file system attributes, CLONE_FS). Errors are those of
// chroot(2), and an error if "/" is not Root afterwards.
//
// Man page: chroot(2)
type Chroot struct {
	Root string // a directory
}

// Do calls chroot(2), and then chdir(2): chroot leaves the working directory
// where it was, which would be outside, and that is the oldest break-out.
func (c Chroot) Do() error {
	want, err := os.Stat(c.Root)
	if err != nil {
		return err
	}
	if err := unix.Chroot(c.Root); err != nil {
		return &os.PathError{Op: "chroot", Path: c.Root, Err: err}
	}
	if err := unix.Chdir("/"); err != nil {
		return &os.PathError{Op: "chdir", Path: "/", Err: err}
	}
	return verifyRoot(want)
}

// String is the shell's way: chroot(8) needs a command to run inside.
func (c Chroot) String() string {
	return "chroot " + quote(c.Root) + " /bin/sh"
}

// verifyRoot compares "/" with the directory that it should be.
func verifyRoot(want os.FileInfo) error {
	got, err := os.Stat("/")
	if err != nil {
		return err
	}
	if !os.SameFile(got, want) {
		return fmt.Errorf("new root: / is not the directory that was asked for")
	}
	return nil
}

// quote makes s one word of a POSIX shell.
func quote(s string) string {
	safe := func(r rune) bool {
		return strings.ContainsRune("/._-+:@%,=", r) ||
			'0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	if s != "" && strings.TrimFunc(s, safe) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
