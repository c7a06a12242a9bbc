package namespaces

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
	Type  string // "c" for character, "b" for block
	Major uint32
	Minor uint32
	Mode  os.FileMode // permission bits; the umask does not apply
	UID   uint32
	GID   uint32
}

// Do makes the node, or binds it, and looks at what is there.
func (d Device) Do() error {
	parent, base := split(d.Path)
	dir, err := create(d.Root, parent, os.ModeDir|0o755)
	if err != nil {
		return err
	}
	defer dir.Close()
	err = unix.Mknodat(int(dir.Fd()), base, d.kind()|uint32(d.Mode.Perm()), int(d.number()))
	bind := errors.Is(err, unix.EPERM)
	if bind {
		err = Mount{Root: d.Root, Source: d.Path, Target: d.Path, Options: []string{"bind"}}.Do()
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		return pathError("mknod", hostPath(d.Root, d.Path), err)
	}
	at, err := d.open()
	if err != nil {
		return err
	}
	defer at.Close()
	if bind {
		return nil // its owner and mode are the host's
	}
	// Both through the descriptor: mknod heeds the umask, and a path might be
	// a link by the time of the chmod.
	if err := unix.Chown(fdPath(at), int(d.UID), int(d.GID)); err != nil {
		return pathError("chown", at.Name(), err)
	}
	return pathError("chmod", at.Name(), unix.Chmod(fdPath(at), uint32(d.Mode.Perm())))
}

// open opens what is at Path and makes sure that it is the device.
func (d Device) open() (*os.File, error) {
	at, err := resolve(d.Root, d.Path)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	err = unix.Fstat(int(at.Fd()), &st)
	if err == nil && (st.Mode&unix.S_IFMT != d.kind() || st.Rdev != d.number()) {
		err = fmt.Errorf("not the device %s %d:%d", d.Type, d.Major, d.Minor)
	}
	if err != nil {
		at.Close()
		return nil, pathError("device", at.Name(), err)
	}
	return at, nil
}

func (d Device) number() uint64 { return unix.Mkdev(d.Major, d.Minor) }

func (d Device) kind() uint32 {
	if d.Type == "b" {
		return unix.S_IFBLK
	}
	return unix.S_IFCHR
}

// String is mknod(1) and what the umask makes necessary.
func (d Device) String() string {
	path := quote(filepath.Join("/", d.Root, d.Path))
	return fmt.Sprintf("mknod %s %s %d %d && chown %d:%d %s && chmod %04o %s",
		path, d.Type, d.Major, d.Minor, d.UID, d.GID, path, d.Mode.Perm(), path)
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
	parent, base := split(s.Path)
	dir, err := create(s.Root, parent, os.ModeDir|0o755)
	if err != nil {
		return err
	}
	defer dir.Close()
	err = unix.Symlinkat(s.Target, int(dir.Fd()), base)
	if errors.Is(err, os.ErrExist) {
		buf := make([]byte, unix.PathMax)
		if n, e := unix.Readlinkat(int(dir.Fd()), base, buf); e == nil && string(buf[:n]) == s.Target {
			return nil
		}
	}
	return pathError("symlink", hostPath(s.Root, s.Path), err)
}

// String is ln(1).
func (s Symlink) String() string {
	return fmt.Sprintf("ln -s %s %s", quote(s.Target), quote(filepath.Join("/", s.Root, s.Path)))
}
