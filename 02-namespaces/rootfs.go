package namespaces

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many dangling symbolic links create follows; the kernel's
// own limit (path_resolution(7)).
const maxLinks = 40

// resolve opens a place in a container's tree without opening the file there
// (O_PATH). A symbolic link in the image, absolute or not, cannot lead out:
// openat2(2), RESOLVE_IN_ROOT. Root "" is "/".
func resolve(root, name string) (*os.File, error) {
	if root == "" {
		root = "/"
	}
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: root, Err: err}
	}
	defer unix.Close(dir)
	if name == "" {
		name = "/" // the root itself; openat2 has no word for it
	}
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT}
	for {
		fd, err := unix.Openat2(dir, name, &how)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			continue // the tree was changed while ".." was walked
		}
		if err != nil {
			return nil, &os.PathError{Op: "openat2", Path: hostPath(root, name), Err: err}
		}
		return os.NewFile(uintptr(fd), hostPath(root, name)), nil
	}
}

// create is resolve, and makes what is missing: directories on the way, and
// at the end a directory or an empty file, as mode's type says.
func create(root, name string, mode os.FileMode) (*os.File, error) {
	for range maxLinks {
		f, err := resolve(root, name)
		if !errors.Is(err, os.ErrNotExist) {
			return f, err
		}
		parent, base := split(name)
		if base == "" {
			return nil, err
		}
		dir, err := create(root, parent, os.ModeDir|0o755)
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
	return nil, &os.PathError{Op: "create", Path: hostPath(root, name), Err: unix.ELOOP}
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
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(dir.Fd()), base, buf)
	if errors.Is(err, unix.EINVAL) {
		return parent + "/" + base, nil // somebody else has just made it
	}
	if err != nil {
		return "", pathError("readlink", dir.Name()+"/"+base, err)
	}
	if link := string(buf[:n]); strings.HasPrefix(link, "/") {
		return link, nil
	}
	return parent + "/" + string(buf[:n]), nil
}

// split cuts off the last component; trailing slashes do not count.
func split(name string) (parent, base string) {
	name = strings.TrimRight(name, "/")
	i := strings.LastIndexByte(name, '/')
	return name[:i+1], name[i+1:]
}

// fdPath names an open file for system calls that take only paths: the link
// leads to the file itself, wherever it was moved meanwhile (proc_pid_fd(5)).
func fdPath(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

func hostPath(root, name string) string {
	return strings.TrimSuffix(root, "/") + "/" + strings.TrimPrefix(name, "/")
}

func pathError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: path, Err: err}
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
