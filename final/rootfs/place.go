package rootfs

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	chroot "cutaway/01-chroot"

	"golang.org/x/sys/unix"
)

// maxLinks is how many dangling symbolic links create follows; the kernel's
// own limit (path_resolution(7)).
const maxLinks = 40

// open opens a place in a container's tree, but not the file there (O_PATH).
// Root "" is "/".
func open(root, name string) (*os.File, error) {
	return chroot.OpenIn(cmp.Or(root, "/"), cmp.Or(name, "/"), unix.OpenHow{Flags: unix.O_PATH})
}

// create is open, and makes what is missing: directories on the way, and at
// the end a directory or an empty file, as mode's type says.
func create(root, name string, mode os.FileMode) (*os.File, error) {
	for range maxLinks {
		f, err := open(root, name)
		if !errors.Is(err, os.ErrNotExist) {
			return f, err
		}
		dir, parent, base, err := within(root, name)
		if err != nil {
			return nil, err
		}
		err = makeAt(dir, base, mode)
		if errors.Is(err, os.ErrExist) {
			// It is there and yet not found: a link that leads nowhere (yet).
			name, err = follow(dir, parent, base)
		}
		dir.Close()
		if err != nil {
			return nil, err
		}
	}
	return nil, &os.PathError{Op: "create", Path: onHost(root, name), Err: unix.ELOOP}
}

// within opens, or makes, the directory that name is in. Base is the last
// component; trailing slashes do not count.
func within(root, name string) (dir *os.File, parent, base string, err error) {
	name = strings.TrimRight(name, "/")
	i := strings.LastIndexByte(name, '/')
	parent, base = name[:i+1], name[i+1:]
	if base == "" { // the root itself, which is not ours to make
		return nil, "", "", &os.PathError{Op: "open", Path: cmp.Or(root, "/"), Err: unix.ENOENT}
	}
	dir, err = create(root, parent, os.ModeDir|0o755)
	return dir, parent, base, err
}

func makeAt(dir *os.File, base string, mode os.FileMode) error {
	if mode.IsDir() {
		err := unix.Mkdirat(int(dir.Fd()), base, uint32(mode.Perm()))
		return pathError("mkdir", dir.Name()+"/"+base, err)
	}
	fd, err := unix.Openat(int(dir.Fd()), base, unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, uint32(mode.Perm()))
	if err != nil {
		return pathError("create", dir.Name()+"/"+base, err)
	}
	return unix.Close(fd)
}

// follow says where the symbolic link base in parent leads. Names are put
// together and never shortened: only the kernel knows what ".." is after a link.
func follow(dir *os.File, parent, base string) (string, error) {
	link, err := readlink(dir, base)
	switch {
	case errors.Is(err, unix.EINVAL):
		return parent + base, nil // somebody else has just made it
	case err != nil:
		return "", err
	case strings.HasPrefix(link, "/"):
		return link, nil
	}
	return parent + link, nil
}

func readlink(dir *os.File, base string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(dir.Fd()), base, buf)
	if err != nil {
		return "", pathError("readlink", dir.Name()+"/"+base, err)
	}
	return string(buf[:n]), nil
}

// fdPath names an open file for system calls that take only paths: the link
// leads to the file itself, wherever it was moved meanwhile (proc_pid_fd(5)).
func fdPath(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

// onHost is a place as the host names it, if no link is on the way.
func onHost(root, name string) string { return filepath.Join("/", root, name) }

func pathError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: path, Err: err}
}

// Quote makes s one word of a POSIX shell.
func Quote(s string) string {
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// plain is what needs no quotes.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%"
