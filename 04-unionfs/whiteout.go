package unionfs

import (
	"archive/tar"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
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
		return u.hideAll(procPath(dir)+"/", u.lastReal)
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
	base := path.Base(name)
	file := procPath(dir) + "/" + base
	if err := u.removeOld(file, name); err != nil {
		return false, err
	}
	kind, err := kindOf(dir, base)
	switch {
	case err != nil || !u.union:
		return false, err
	case kind == unix.S_IFDIR:
		return false, opaque(file)
	case kind != 0 || u.lookup(name).file == "":
		return false, nil
	}
	return true, os.NewSyscallError("mknodat", unix.Mknodat(int(dir.Fd()), base, unix.S_IFCHR, 0))
}

// hideAll hides what the layers below have in dir, which is called name. The kernel does not look whether a root is opaque, so
// there each name is hidden by itself.
func (u *unpacker) hideAll(dir, name string) error {
	u.made[name] = true
	err := u.removeOld(dir, name)
	if err != nil || !u.union {
		return err
	}
	if name != "." {
		return opaque(dir)
	}
	nodes, err := shown(u.lowers, "/")
	for _, n := range nodes {
		if _, err := u.hide(u.root, n.Path[1:]); err != nil {
			return err
		}
	}
	return err
}

// removeOld removes what is at file, which is called name, and all in it, but what this archive made. A union driver's layer has
// nothing else but whiteouts and directories for which there was no entry.
func (u *unpacker) removeOld(file, name string) error {
	nodes, err := scan(file)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	for _, n := range slices.Backward(nodes) {
		if u.made[path.Join(name, n.Path)] {
			continue
		}
		if rerr := os.Remove(n.file); !errors.Is(rerr, unix.ENOTEMPTY) {
			err = errors.Join(err, rerr)
		}
	}
	return err
}

// opaque marks a directory.
func opaque(dir string) error {
	return os.NewSyscallError("lsetxattr", unix.Lsetxattr(dir, opaqueMark(), []byte("y"), 0))
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
