package shim

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Terminal gives the process a terminal of the container's own /dev/pts, so
// that programs find theirs by name (ttyname(3)) and see nobody else's. The
// master goes to the shim, which keeps it for whoever attaches.
//
// The process becomes a session leader with this controlling terminal: Ctrl-C
// and SIGWINCH come from it.
//
// Man page: pty(7), ioctl_tty(2)
type Terminal struct {
	Root          string // where the container's tree is; "" = it is "/"
	Rows, Columns uint16 // 0 = as the kernel makes it
	Console       bool   // also bind it over /dev/console
}

// Do opens the pair, sends the master away, and makes the other end the
// standard streams.
func (t Terminal) Do() error {
	master, err := os.OpenFile(t.Root+"/dev/pts/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer master.Close()
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		return os.NewSyscallError("ioctl TIOCGPTN", err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return os.NewSyscallError("ioctl TIOCSPTLCK", err)
	}
	if t.Rows != 0 || t.Columns != 0 {
		if err := setSize(master, Size{t.Rows, t.Columns}); err != nil {
			return err
		}
	}
	name := fmt.Sprintf("%s/dev/pts/%d", t.Root, n)
	slave, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer slave.Close()
	if err := become(slave); err != nil {
		return err
	}
	if t.Console {
		if err := console(t.Root, name); err != nil {
			return err
		}
	}
	return SendTerminal(master)
}

// become makes f the controlling terminal and the three standard streams.
func become(f *os.File) error {
	if err := unix.IoctlSetInt(int(f.Fd()), unix.TIOCSCTTY, 0); err != nil {
		return os.NewSyscallError("ioctl TIOCSCTTY", err)
	}
	for fd := range 3 {
		if err := unix.Dup3(int(f.Fd()), fd, 0); err != nil {
			return os.NewSyscallError("dup3", err)
		}
	}
	return nil
}

// console binds the terminal over /dev/console.
func console(root, name string) error {
	at := root + "/dev/console"
	f, err := os.OpenFile(at, os.O_CREATE|os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Mount(name, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), "", unix.MS_BIND, ""); err != nil {
		return &os.PathError{Op: "mount", Path: at, Err: err}
	}
	return nil
}

// String is script(1), which is how a shell gets a new terminal.
func (t Terminal) String() string { return "script --quiet /dev/null" }
