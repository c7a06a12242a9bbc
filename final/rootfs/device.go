package rootfs

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Device puts one device node into a container's /dev, which starts empty:
// programs need /dev/null, zero, full, random, urandom and tty, and should see
// nothing else of the host's hardware.
//
// Where mknod(2) is refused (in a user namespace it always is), the host's node
// of the same path is bound there instead. Errors are those of mknod(2).
//
// Man page: mknod(2)
type Device struct {
	Root  string // the container's tree; "" = "/"
	Path  string // in Root, and of the node on the host
	Major uint32 // of a character device
	Minor uint32
	Mode  os.FileMode // permission bits; the umask does not apply
}

// Do makes the node, or binds it, and looks at what is there.
func (d Device) Do() error {
	dir, _, base, err := within(d.Root, d.Path)
	if err != nil {
		return err
	}
	defer dir.Close()
	number := unix.Mkdev(d.Major, d.Minor)
	err = unix.Mknodat(int(dir.Fd()), base, unix.S_IFCHR|uint32(d.Mode.Perm()), int(number))
	bind := errors.Is(err, unix.EPERM)
	if bind {
		err = Mount{Root: d.Root, Source: d.Path, Target: d.Path, Options: []string{"bind"}}.Do()
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		return pathError("mknod", onHost(d.Root, d.Path), err)
	}
	at, err := open(d.Root, d.Path)
	if err != nil {
		return err
	}
	defer at.Close()
	var st unix.Stat_t
	err = unix.Fstat(int(at.Fd()), &st)
	if err == nil && (st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != number) {
		err = fmt.Errorf("not the device c %d:%d", d.Major, d.Minor)
	}
	if err != nil || bind { // the mode of one that was bound is the host's
		return pathError("device", at.Name(), err)
	}
	// Through the descriptor: mknod heeds the umask, and the path might be a
	// link by now.
	return pathError("chmod", at.Name(), unix.Chmod(fdPath(at), uint32(d.Mode.Perm())))
}

// String is mknod(1) and what the umask makes necessary.
func (d Device) String() string {
	path := Quote(onHost(d.Root, d.Path))
	return fmt.Sprintf("mknod %s c %d %d && chmod %04o %s", path, d.Major, d.Minor, d.Mode.Perm(), path)
}

// Symlink gives a container the names that programs expect to lead to their
// own descriptors: /dev/fd, /dev/stdin, /dev/stdout, /dev/stderr, /dev/ptmx.
//
// A link with the same target may be there already; anything else is EEXIST.
//
// Man page: symlink(2)
type Symlink struct {
	Root   string // the container's tree; "" = "/"
	Target string // what the link says; not resolved
	Path   string // in Root: where the link is
}

// Do makes the link.
func (s Symlink) Do() error {
	dir, _, base, err := within(s.Root, s.Path)
	if err != nil {
		return err
	}
	defer dir.Close()
	err = unix.Symlinkat(s.Target, int(dir.Fd()), base)
	if errors.Is(err, os.ErrExist) {
		if link, _ := readlink(dir, base); link == s.Target {
			return nil
		}
	}
	return pathError("symlink", onHost(s.Root, s.Path), err)
}

// String is ln(1).
func (s Symlink) String() string {
	return fmt.Sprintf("ln -s %s %s", Quote(s.Target), Quote(onHost(s.Root, s.Path)))
}
