package namespaces

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Join enters a namespace that exists, as exec does with a container's, and
// as a container does with a network that was wired for it.
//
// Path is a file such as /proc/PID/ns/net, or a bind mount of one. Join acts
// on the calling thread. For PID only future children are in the namespace.
// User and Time fail (EINVAL, EUSERS) in a process of several threads, as
// every Go process is; see [Enter]. Errors are those of setns(2).
//
// Man page: setns(2), nsenter(1)
type Join struct {
	Kind Kind
	Path string
}

// Do calls setns(2) and compares the namespace with Path's.
func (j Join) Do() error {
	f, err := os.Open(j.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	self, err := os.Open("/proc/thread-self/ns") // before: /proc may be another's when we are in
	if err != nil {
		return err
	}
	defer self.Close()
	if j.Kind == Mnt {
		// Go's threads share one root and one working directory, and setns
		// refuses to change them for all (setns(2), "CLONE_FS").
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return os.NewSyscallError("unshare CLONE_FS", err)
		}
	}
	// The flag makes the kernel check that the file is of this kind.
	if err := unix.Setns(int(f.Fd()), int(j.Kind.Flag())); err != nil {
		return &os.PathError{Op: "setns " + string(j.Kind), Path: j.Path, Err: err}
	}
	var got, want unix.Stat_t
	err = errors.Join(unix.Fstat(int(f.Fd()), &want), unix.Fstatat(int(self.Fd()), j.Kind.forChildren(), &got, 0))
	if err == nil && got.Ino != want.Ino {
		err = fmt.Errorf("in %d, not in %d", got.Ino, want.Ino)
	}
	return pathError("join "+string(j.Kind)+" namespace", j.Path, err)
}

// String is nsenter(1), which starts a shell in the namespace.
func (j Join) String() string {
	return "nsenter " + kinds[j.Kind].long + "=" + quote(j.Path)
}
