package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// tree is a directory that is looked at as by chroot(2): "/" and ".." in names
// and in symbolic links stay in it, whatever they were meant for. The zero tree
// is none.
type tree struct {
	*os.Root
	view View // to be closed, too, if it is that of an image
}

func openTree(dir string) (tree, error) {
	root, err := os.OpenRoot(dir)
	return tree{Root: root}, err
}

// resolve returns the name of a file relative to the root, without links.
// fs.ErrNotExist if there is none.
func (t tree) resolve(name string) (string, error) {
	dir, err := t.Open(".")
	if err != nil {
		return "", err
	}
	defer dir.Close()
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(int(dir.Fd()), path.Clean("/"+name), how)
	if err != nil {
		return "", &os.PathError{Op: "stat", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	top, err1 := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(dir.Fd())))
	full, err2 := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err := errors.Join(err1, err2); err != nil {
		return "", err
	}
	return filepath.Rel(top, full)
}

// stat is resolve and lstat(2).
func (t tree) stat(name string) (real string, info fs.FileInfo, err error) {
	if real, err = t.resolve(name); err == nil {
		info, err = t.Lstat(real)
	}
	return real, info, err
}

// isDir tells whether there is a directory, be it by way of links.
func (t tree) isDir(name string) bool {
	_, info, err := t.stat(name)
	return err == nil && info.IsDir()
}

// read reads a small file.
func (t tree) read(name string) ([]byte, error) {
	real, err := t.resolve(name)
	if err != nil {
		return nil, err
	}
	return t.ReadFile(real)
}

// glob lists the files that a name with wildcards stands for, in order.
func (t tree) glob(pattern string) ([]string, error) {
	pattern = strings.TrimLeft(path.Clean("/"+pattern), "/")
	if !strings.ContainsAny(pattern, `*?[\`) {
		return []string{path.Clean(pattern)}, nil
	}
	found, err := fs.Glob(t.FS(), pattern)
	if err == nil && len(found) == 0 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("%q: %w", pattern, err)
	}
	return found, nil
}

// close closes it, if it was opened, and the view.
func (t tree) close() (err error) {
	if t.Root != nil {
		err = t.Close()
	}
	if t.view.Close != nil {
		err = errors.Join(err, t.view.Close())
	}
	return err
}
