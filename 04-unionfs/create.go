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

// entry is a header and what follows it.
type entry struct {
	*tar.Header
	content io.Reader
}

var errLeftOut = errors.New("left out")

// create makes the file name in dir, in place of what is there. Mostly that is nothing: to look first would cost a call
// for each file.
func (u *unpacker) create(dir *os.File, name string, e entry) error {
	fd, base := int(dir.Fd()), path.Base(name)
	if e.Typeflag == tar.TypeReg {
		if err := u.file(dir, base, e); !errors.Is(err, unix.EEXIST) {
			return err
		}
	}
	if keep, err := u.clear(dir, name, e.Typeflag); keep || err != nil {
		return err
	}
	switch e.Typeflag {
	case tar.TypeDir:
		return os.NewSyscallError("mkdirat", unix.Mkdirat(fd, base, 0o700))
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		return u.file(dir, base, e)
	case tar.TypeSymlink:
		return os.NewSyscallError("symlinkat", unix.Symlinkat(e.Linkname, fd, base))
	case tar.TypeLink:
		return u.hardLink(name, e.Linkname)
	case tar.TypeFifo:
		return os.NewSyscallError("mknodat", unix.Mknodat(fd, base, unix.S_IFIFO, 0))
	case tar.TypeChar, tar.TypeBlock:
		return device(dir, base, e)
	}
	return fmt.Errorf("%w: type %q", ErrEntry, e.Typeflag)
}

// device makes a device node. Root of a user namespace may not, user_namespaces(7); there it is left out, as Docker does.
func device(dir *os.File, base string, e entry) error {
	kind, dev := uint32(unix.S_IFCHR), unix.Mkdev(uint32(e.Devmajor), uint32(e.Devminor))
	if e.Typeflag == tar.TypeBlock {
		kind = unix.S_IFBLK
	}
	err := unix.Mknodat(int(dir.Fd()), base, kind, int(dev))
	if errors.Is(err, unix.EPERM) && inUserNamespace() {
		return errLeftOut
	}
	return os.NewSyscallError("mknodat", err)
}

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
	if n, ok := u.lookup(target); ok && !strings.HasPrefix(n.file, procPath(u.root)) {
		if err := u.copyUp(n); err != nil {
			return err
		}
	}
	root := int(u.root.Fd()) // neither name has a link on its way
	return os.NewSyscallError("linkat", unix.Linkat(root, target, root, name, 0))
}

// copyUp makes a file of a layer below again in this one.
func (u *unpacker) copyUp(n node) error {
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
