package unionfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// vfs copies: each diff is the whole tree. It asks nothing of the kernel, and costs time and disk accordingly.
type vfs struct{}

func (vfs) probe(string) (io.Closer, error) { return nil, nil }

// create copies as a person would: tar -C PARENT -c . | tar -C DIFF -x.
func (vfs) create(d *draft, parent *layer) error {
	if err := os.Mkdir(d.diff(), 0o755); err != nil || parent == nil {
		return errors.Join(err, os.Chmod(d.diff(), 0o755)) // whatever the umask
	}
	archive := stream(func(w io.Writer) error {
		nodes, err := scan(parent.diff())
		return errors.Join(err, pack(w, nodes))
	})
	return errors.Join(d.unpack(archive), archive.Close())
}

func (vfs) destroy(dir string) error { return os.RemoveAll(dir) }

func (vfs) mount(_ *Store, l layer) Mount {
	return Mount{Type: "bind", Source: l.diff(), Options: l.mode()}
}

// btrfs has the file system itself share: each diff is a subvolume, a snapshot of its parent's. Blocks are
// copied when one of the two writes. Like vfs it keeps whole trees, without the copying.
type btrfs struct{ vfs }

// The calls of linux/btrfs.h, each with a struct btrfs_ioctl_vol_args of 4096 bytes: _IOW(0x94, N, …).
const (
	snapCreate   = 0x50009401
	subvolCreate = 0x5000940e
	snapDestroy  = 0x5000940f
)

func (btrfs) probe(dir string) (io.Closer, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return nil, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	if st.Type != unix.BTRFS_SUPER_MAGIC {
		return nil, fmt.Errorf("%q is not on a btrfs file system", dir)
	}
	return nil, nil
}

// create does: btrfs subvolume create DIR/diff, or btrfs subvolume snapshot PARENT DIR/diff.
func (btrfs) create(d *draft, parent *layer) error {
	if parent == nil {
		return errors.Join(subvolume(d.dir, subvolCreate, 0), os.Chmod(d.diff(), 0o755))
	}
	src, err := os.Open(parent.diff())
	if err != nil {
		return err
	}
	return errors.Join(subvolume(d.dir, snapCreate, int64(src.Fd())), src.Close())
}

// destroy drops the subvolume in one go where it may. Root of a user namespace may not, and subvolumes that a
// container made inside are in the way; an empty one can be removed like a directory, since Linux 4.18.
func (btrfs) destroy(dir string) error {
	_ = subvolume(dir, snapDestroy, 0)
	return os.RemoveAll(dir)
}

// subvolume makes one call about dir/diff. fd is the subvolume to take a snapshot of.
func subvolume(dir string, call uint, fd int64) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	args := struct {
		fd   int64
		name [4088]byte
	}{fd: fd}
	copy(args.name[:], "diff")
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), uintptr(call), uintptr(unsafe.Pointer(&args)))
	if errno != 0 {
		return &os.PathError{Op: "ioctl", Path: filepath.Join(dir, "diff"), Err: errno}
	}
	return nil
}
