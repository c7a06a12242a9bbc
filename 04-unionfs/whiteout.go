package unionfs

import (
	"archive/tar"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// How an archive says "removed" (OCI image-layer "Whiteouts"; the names are AUFS's).
const (
	whiteoutPrefix = ".wh."     // .wh.NAME: NAME of the layers below is gone
	opaqueName     = ".wh..opq" // after the prefix: all that the layers below have in this directory is gone
	metaPrefix     = ".wh."     // after the prefix: AUFS's own notes, of no meaning here
)

// hasWhiteout reports whether a directory of the path has a whiteout's name.
func hasWhiteout(name string) bool {
	return strings.HasPrefix(name, whiteoutPrefix) || strings.Contains(name, "/"+whiteoutPrefix)
}

// whiteout acts on the entry .wh.HIDDEN in dir, whose name is parent.
func (u *unpacker) whiteout(dir *os.File, parent, hidden string) error {
	switch {
	case hidden == opaqueName:
		return u.hideAll(dir, parent)
	case strings.HasPrefix(hidden, metaPrefix):
		return nil
	case hidden == "" || hidden == "." || hidden == "..":
		return fmt.Errorf("%w: whiteout of %q", ErrEntry, hidden)
	}
	return u.hide(dir, path.Join(parent, hidden))
}

// hide makes name, in dir, invisible: with a whiteout (a character device 0/0), or by removing it. What this archive
// made stays: a whiteout speaks of the layers below.
func (u *unpacker) hide(dir *os.File, name string) error {
	base := path.Base(name)
	kind, err := lstatat(dir, base)
	there := err == nil
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return os.NewSyscallError("fstatat", err)
	}
	switch {
	case there && kind == unix.S_IFDIR:
		return u.hideTree(dir, name)
	case u.made[name]:
		return nil
	case u.opaque != "" && !there:
		return os.NewSyscallError("mknodat", unix.Mknodat(int(dir.Fd()), base, unix.S_IFCHR, 0))
	case u.opaque != "" || !there:
		return nil
	}
	return os.NewSyscallError("unlinkat", unix.Unlinkat(int(dir.Fd()), base, 0))
}

// hideTree hides what the layers below have in the directory name, and itself if that was all.
func (u *unpacker) hideTree(dir *os.File, name string) error {
	sub, err := u.open(name)
	if err != nil {
		return err
	}
	defer sub.Close()
	if err := u.hideAll(sub, name); err != nil || u.opaque != "" || u.made[name] {
		return err
	}
	err = unix.Unlinkat(int(dir.Fd()), path.Base(name), unix.AT_REMOVEDIR)
	if errors.Is(err, unix.ENOTEMPTY) {
		return nil
	}
	return os.NewSyscallError("unlinkat", err)
}

// hideAll makes what the layers below have in dir invisible.
func (u *unpacker) hideAll(dir *os.File, name string) error {
	if u.opaque != "" {
		err := unix.Lsetxattr(procPath(dir, "."), u.opaque, []byte("y"), 0)
		return os.NewSyscallError("lsetxattr "+u.opaque, err)
	}
	names, err := readNames(dir)
	if err != nil {
		return err
	}
	for _, base := range names {
		if err := u.hide(dir, path.Join(name, base)); err != nil {
			return err
		}
	}
	return nil
}

// clear makes room for the entry name of type kind in dir, and reports whether there is a directory to keep.
func (u *unpacker) clear(dir *os.File, name string, kind byte) (keep bool, err error) {
	base := path.Base(name)
	old, err := lstatat(dir, base)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, os.NewSyscallError("fstatat", err)
	}
	if old == unix.S_IFDIR && kind == tar.TypeDir {
		return true, nil
	}
	return false, u.removeAll(dir, base)
}

// removeAll removes base from dir with all that is in it.
func (u *unpacker) removeAll(dir *os.File, base string) error {
	err := unix.Unlinkat(int(dir.Fd()), base, 0)
	if !errors.Is(err, unix.EISDIR) {
		return os.NewSyscallError("unlinkat", err)
	}
	r, err := os.OpenRoot(procPath(dir, "."))
	if err != nil {
		return err
	}
	return errors.Join(r.RemoveAll(base), r.Close())
}

// dir opens the directory name for an entry in it. One that no entry made gets the look of the same
// directory below, else 0755 and root.
func (u *unpacker) dir(name string) (*os.File, error) {
	if u.last != nil && u.lastName == name {
		return u.last, nil
	}
	f, err := u.open(name)
	if errors.Is(err, unix.ENOENT) {
		if err := u.imply(name); err != nil {
			return nil, err
		}
		f, err = u.open(name)
	}
	if err != nil {
		return nil, err
	}
	u.forget()
	u.last, u.lastName = f, name
	return f, nil
}

// open opens a directory of the layer; links and ".." on the way stay inside.
func (u *unpacker) open(name string) (*os.File, error) {
	fd, err := unix.Openat2(int(u.root.Fd()), name, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	})
	if err != nil {
		return nil, &os.PathError{Op: "openat2", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// imply makes the directory name and those above it.
func (u *unpacker) imply(name string) error {
	parent, base := path.Split(name)
	dir, err := u.dir(path.Clean(parent))
	if err != nil {
		return err
	}
	if err := unix.Mkdirat(int(dir.Fd()), base, 0o755); err != nil {
		return os.NewSyscallError("mkdirat", err)
	}
	below := find(u.lowers, name)
	var st unix.Stat_t
	if below == "" || unix.Lstat(below, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil
	}
	u.dirs = append(u.dirs, stamp{name, []unix.Timespec{st.Atim, st.Mtim}})
	self := procPath(dir, base)
	return errors.Join(unix.Lchown(self, int(st.Uid), int(st.Gid)), unix.Chmod(self, st.Mode&0o7777), copyXattrs(below, self))
}

// find returns the path of name in the first of the diff directories that has it and lets it be seen, or "".
func find(lowers []string, name string) string {
	for _, l := range lowers {
		full, last := look(l, name)
		if full != "" || last {
			return full
		}
	}
	return ""
}

// look searches one diff directory; last says that what is below it cannot be seen.
func look(diff, name string) (full string, last bool) {
	full = diff
	for part := range strings.SplitSeq(name, "/") {
		last = last || isOpaque(full)
		full = filepath.Join(full, part)
		var st unix.Stat_t
		if unix.Lstat(full, &st) != nil {
			return "", last
		}
		if isWhiteout(&st) {
			return "", true
		}
		last = last || st.Mode&unix.S_IFMT != unix.S_IFDIR
	}
	return full, last
}

func isWhiteout(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0
}

func isOpaque(dir string) bool {
	var v [1]byte
	n, err := unix.Lgetxattr(dir, overlay{}.opaque(), v[:])
	return err == nil && n == 1 && v[0] == 'y'
}

// lstatat returns the type of dir/base.
func lstatat(dir *os.File, base string) (kind uint32, err error) {
	var st unix.Stat_t
	err = unix.Fstatat(int(dir.Fd()), base, &st, unix.AT_SYMLINK_NOFOLLOW)
	return st.Mode & unix.S_IFMT, err
}

// readNames lists dir from its start, whatever was read before.
func readNames(dir *os.File) ([]string, error) {
	f, err := os.Open(procPath(dir, "."))
	if err != nil {
		return nil, err
	}
	names, err := f.Readdirnames(-1)
	return names, errors.Join(err, f.Close())
}
