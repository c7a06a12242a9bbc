package unionfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// vfs copies: each layer's diff is the whole tree. It needs nothing of the kernel, and is slow and large.
type vfs struct{}

func (vfs) probe(string) error { return nil }

func (vfs) create(dir, parent string) error {
	if parent == "" {
		return os.Mkdir(filepath.Join(dir, "diff"), 0o755)
	}
	return copyTree(parent, filepath.Join(dir, "diff"))
}

func (vfs) destroy(dir string) error { return os.RemoveAll(dir) }

func (vfs) mount(s *Store, l layer) Mount {
	m := Mount{Type: "bind", Source: s.diff(l.ID)}
	if l.Link != "" {
		m.Options = []string{"ro"}
	}
	return m
}

func (vfs) opaque() string { return "" }

// inode names a file whatever its path.
type inode struct{ dev, ino uint64 }

// copyTree copies the tree src to dst, with everything that a layer can say about a file.
func copyTree(src, dst string) error {
	seen := map[inode]string{}
	type dirTimes struct {
		name string
		st   *unix.Stat_t
	}
	var dirs []dirTimes
	err := filepath.WalkDir(src, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(src, name)
		if err != nil {
			return err
		}
		st, to := new(unix.Stat_t), filepath.Join(dst, rel)
		if err := unix.Lstat(name, st); err != nil {
			return &os.PathError{Op: "lstat", Path: name, Err: err}
		}
		key := inode{st.Dev, st.Ino}
		if first, ok := seen[key]; ok {
			return os.Link(first, to)
		}
		if isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR; isDir {
			dirs = append(dirs, dirTimes{to, st})
		} else if st.Nlink > 1 {
			seen[key] = to
		}
		return copyNode(name, to, st)
	})
	for i := len(dirs) - 1; i >= 0 && err == nil; i-- {
		err = setTimes(dirs[i].name, dirs[i].st)
	}
	return err
}

// copyNode copies one file, or makes the directory that it is.
func copyNode(from, to string, st *unix.Stat_t) error {
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		err = os.Mkdir(to, 0o700)
	case unix.S_IFREG:
		err = copyFile(from, to)
	case unix.S_IFLNK:
		var target string
		if target, err = os.Readlink(from); err == nil {
			err = os.Symlink(target, to)
		}
	default:
		err = unix.Mknod(to, st.Mode, int(st.Rdev))
	}
	if err != nil {
		return fmt.Errorf("copy %q: %w", from, err)
	}
	if err := unix.Lchown(to, int(st.Uid), int(st.Gid)); err != nil {
		return &os.PathError{Op: "lchown", Path: to, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Chmod(to, st.Mode&0o7777); err != nil {
			return &os.PathError{Op: "chmod", Path: to, Err: err}
		}
	}
	return errors.Join(copyXattrs(from, to), setTimes(to, st))
}

// copyFile shares the blocks where the file system can (FICLONE), else copies them.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if unix.IoctlFileClone(int(out.Fd()), int(in.Fd())) != nil {
		_, err = out.ReadFrom(in)
	}
	return errors.Join(err, out.Close())
}

func setTimes(name string, st *unix.Stat_t) error {
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, name, []unix.Timespec{st.Atim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &os.PathError{Op: "utimensat", Path: name, Err: err}
	}
	return nil
}
