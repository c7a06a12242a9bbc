package unionfs

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// modes are the types of files that an archive can hold.
var modes = map[byte]uint32{
	tar.TypeDir: unix.S_IFDIR, tar.TypeReg: unix.S_IFREG, tar.TypeSymlink: unix.S_IFLNK,
	tar.TypeFifo: unix.S_IFIFO, tar.TypeChar: unix.S_IFCHR, tar.TypeBlock: unix.S_IFBLK,
}

// entry is a header and what follows it.
type entry struct {
	*tar.Header
	content io.Reader
}

// create makes the file name in dir, in place of what is there, unless both are directories. Mostly there is nothing: to look first would
// cost a call for each file. A directory that takes the place of a file or a whiteout goes on hiding what is below.
func (u *unpacker) create(dir *os.File, name string, e entry) error {
	if e.Typeflag != tar.TypeLink { // which goes to another directory, so that dir is closed
		if err := u.make(dir, name, e); !errors.Is(err, unix.EEXIST) {
			return err
		}
	}
	base := path.Base(name)
	file := procPath(dir) + "/" + base
	kind, err := kindOf(dir, base)
	if err != nil || kind == unix.S_IFDIR && e.Typeflag == tar.TypeDir {
		return err
	}
	if err := os.RemoveAll(file); err != nil { // follows no link: it goes by descriptors
		return err
	}
	err = u.make(dir, name, e)
	if err == nil && e.Typeflag == tar.TypeDir && u.union {
		err = opaque(file)
	}
	return err
}

// make makes a file where there is none.
func (u *unpacker) make(dir *os.File, name string, e entry) error {
	fd, base := int(dir.Fd()), path.Base(name)
	switch e.Typeflag {
	case tar.TypeDir:
		return os.NewSyscallError("mkdirat", unix.Mkdirat(fd, base, 0o700))
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		return u.file(dir, base, e)
	case tar.TypeSymlink:
		return os.NewSyscallError("symlinkat", unix.Symlinkat(e.Linkname, fd, base))
	case tar.TypeLink:
		return u.hardLink(name, e.Linkname)
	case tar.TypeFifo, tar.TypeChar, tar.TypeBlock:
		err := unix.Mknodat(fd, base, modes[e.Typeflag], int(unix.Mkdev(uint32(e.Devmajor), uint32(e.Devminor))))
		if errors.Is(err, unix.EPERM) && inUserNamespace() {
			return errLeftOut
		}
		return os.NewSyscallError("mknodat", err)
	}
	return fmt.Errorf("%w: type %q", ErrEntry, e.Typeflag)
}

// errLeftOut is of a device node where root of a user namespace may make none, user_namespaces(7): Docker leaves it out, too.
var errLeftOut = errors.New("left out")

func (u *unpacker) file(dir *os.File, base string, e entry) error {
	if e.Size > u.limit {
		return fmt.Errorf("%w: %d bytes, more than the disk has", ErrEntry, e.Size)
	}
	fd, err := unix.Openat(int(dir.Fd()), base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return os.NewSyscallError("openat", err)
	}
	f := os.NewFile(uintptr(fd), base)
	u.size += e.Size
	if sparse(e.Header) {
		err = u.holes(f, e)
	} else {
		_, err = io.CopyBuffer(struct{ io.Writer }{f}, e.content, u.buf)
	}
	return errors.Join(err, f.Close())
}

// sparse reports whether the archive leaves out the holes of a file: GNU tar's old way, and two new ones.
func sparse(h *tar.Header) bool {
	return h.Typeflag == tar.TypeGNUSparse || h.PAXRecords["GNU.sparse.size"] != "" || h.PAXRecords["GNU.sparse.realsize"] != ""
}

// holes writes a file without the blocks of zeros that archive/tar puts in place of holes.
func (u *unpacker) holes(f *os.File, e entry) error {
	block, zeros := u.buf[:4096], make([]byte, 4096)
	for off := int64(0); off < e.Size; off += int64(len(block)) {
		block = block[:min(int64(len(block)), e.Size-off)]
		if _, err := io.ReadFull(e.content, block); err != nil {
			return err
		}
		if bytes.Equal(block, zeros[:len(block)]) {
			continue
		}
		if _, err := f.WriteAt(block, off); err != nil {
			return err
		}
	}
	return f.Truncate(e.Size)
}

// hardLink gives the file target a second name. One that only a layer below has is copied up first, as the kernel
// does for link(2) in a mounted overlay.
func (u *unpacker) hardLink(name, target string) error {
	target, err := clean(target)
	if err != nil {
		return err
	}
	if _, err := u.dir(path.Dir(target)); err != nil {
		return err
	}
	target = path.Join(u.lastReal, path.Base(target))
	if n := u.lookup(target); n.file != "" && !strings.HasPrefix(n.file, procPath(u.root)) {
		if err := u.copyUp(n); err != nil {
			return err
		}
	}
	root := int(u.root.Fd()) // neither name has a link on its way
	return os.NewSyscallError("linkat", unix.Linkat(root, target, root, name, 0))
}

// copyUp makes a file of a layer below again in this one. It is none that the archive made.
func (u *unpacker) copyUp(n node) error {
	defer delete(u.made, n.Path[1:])
	h, err := header(n)
	if err != nil {
		return err
	}
	if h.Typeflag != tar.TypeReg {
		return u.entry(h, nil)
	}
	f, err := os.Open(n.file)
	if err != nil {
		return err
	}
	return errors.Join(u.entry(h, f), f.Close())
}
