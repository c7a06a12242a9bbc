package unionfs

import (
	"archive/tar"
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

// How an archive says "removed": OCI image-layer "Whiteouts". The names are AUFS's.
const (
	whiteoutPrefix = ".wh."     // .wh.NAME: what the layers below have as NAME is gone
	opaqueName     = ".wh..opq" // as NAME: all that they have in this directory is gone
)

// isAUFS reports whether an entry is one of AUFS's notes to itself, like .wh..wh.plnk/4.
func isAUFS(name string) bool {
	_, note, ok := strings.Cut("/"+name, "/"+whiteoutPrefix+whiteoutPrefix)
	return ok && whiteoutPrefix+note != opaqueName
}

// whiteout acts on the entry h, .wh.HIDDEN in dir. The whiteout keeps the look of the entry, for Diff.
func (u *unpacker) whiteout(dir *os.File, hidden string, h *tar.Header) error {
	switch hidden {
	case opaqueName:
		return u.hideAll(dir, u.lastReal)
	case "", ".", "..":
		return fmt.Errorf("%w: a whiteout of %q", ErrEntry, hidden)
	}
	made, err := u.hide(dir, path.Join(u.lastReal, hidden))
	if err != nil || !made {
		return err
	}
	return u.attributes(dir, hidden, h)
}

// hide hides what the layers below have as name, in dir, and reports whether it made a whiteout. What this archive itself made
// there stays.
//
// A union driver gets a whiteout only where there is something to hide: in a directory that overlay has nothing to merge
// with, it does not look for whiteouts, and readdir(3) would show them.
func (u *unpacker) hide(dir *os.File, name string) (made bool, err error) {
	fd, base := int(dir.Fd()), path.Base(name)
	kind, err := kindOf(dir, base)
	switch {
	case err != nil:
		return false, err
	case kind == unix.S_IFDIR:
		return false, u.hideTree(dir, name)
	case !u.union && kind != 0 && !u.made[name]:
		return false, os.NewSyscallError("unlinkat", unix.Unlinkat(fd, base, 0))
	case !u.union || kind != 0 || find(append([]string{procPath(u.root)}, u.lowers...), name) == "":
		return false, nil
	}
	return true, os.NewSyscallError("mknodat", unix.Mknodat(fd, base, unix.S_IFCHR, 0))
}

// hideTree hides what the layers below have in a directory, and the directory too if that was all.
func (u *unpacker) hideTree(dir *os.File, name string) error {
	sub, err := u.open(name)
	if err != nil {
		return err
	}
	defer sub.Close()
	if err := u.hideAll(sub, name); err != nil || u.union || u.made[name] {
		return err
	}
	err = unix.Unlinkat(int(dir.Fd()), path.Base(name), unix.AT_REMOVEDIR)
	if errors.Is(err, unix.ENOTEMPTY) {
		return nil
	}
	return os.NewSyscallError("unlinkat", err)
}

// hideAll hides what the layers below have in dir. The kernel does not look whether a root is opaque, so there each
// name is hidden by itself, as it is for drivers that have no mark.
func (u *unpacker) hideAll(dir *os.File, name string) error {
	in := []string{procPath(dir) + "/."}
	if u.union && name != "." {
		return opaque(dir)
	} else if u.union {
		in = u.lowers
	}
	for _, d := range in {
		entries, err := os.ReadDir(d)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if _, err := u.hide(dir, path.Join(name, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// opaque marks a directory, and removes the whiteouts in it: nothing is left for them to hide.
func opaque(dir *os.File) error {
	if err := unix.Lsetxattr(procPath(dir)+"/.", opaqueMark(), []byte("y"), 0); err != nil {
		return os.NewSyscallError("lsetxattr", err)
	}
	return filepath.WalkDir(procPath(dir)+"/.", func(file string, d fs.DirEntry, err error) error {
		var st unix.Stat_t
		if err != nil || d.Type()&fs.ModeCharDevice == 0 || unix.Lstat(file, &st) != nil || !isWhiteout(&st) {
			return err
		}
		return os.Remove(file)
	})
}

// clear makes room for an entry of type flag, and reports whether it is a directory that is there already. A directory
// that takes the place of a file or a whiteout goes on hiding what is below.
func (u *unpacker) clear(dir *os.File, name string, flag byte) (keep bool, err error) {
	base := path.Base(name)
	kind, err := kindOf(dir, base)
	if err != nil || kind == 0 || kind == unix.S_IFDIR && flag == tar.TypeDir {
		return kind != 0, err
	}
	err = os.RemoveAll(procPath(dir) + "/" + base) // follows no link: it goes by descriptors
	if err != nil || flag != tar.TypeDir || !u.union {
		return false, err
	}
	if err = unix.Mkdirat(int(dir.Fd()), base, 0o700); err == nil {
		err = unix.Lsetxattr(procPath(dir)+"/"+base, opaqueMark(), []byte("y"), 0)
	}
	return true, err
}

// isWhiteout reports whether overlay takes the file for a whiteout.
func isWhiteout(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0
}

// isOpaque reports whether a directory hides what the layers below have in it.
func isOpaque(dir string) bool {
	var v [2]byte
	n, err := unix.Getxattr(dir, opaqueMark(), v[:])
	return err == nil && string(v[:n]) == "y"
}

// kindOf returns the type of dir/base, 0 if there is none.
func kindOf(dir *os.File, base string) (uint32, error) {
	var st unix.Stat_t
	err := unix.Fstatat(int(dir.Fd()), base, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return 0, nil
	}
	return st.Mode & unix.S_IFMT, os.NewSyscallError("fstatat", err)
}

// procPath leads to dir, for calls that take no descriptor.
func procPath(dir *os.File) string {
	return "/proc/self/fd/" + strconv.Itoa(int(dir.Fd()))
}
