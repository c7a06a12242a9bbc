package chroot

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Pivot makes the mount at Root the top of the mount tree and detaches the old
// tree, so that no path leads back to the host's files.
//
// Root must be a mount point, and neither its parent mount nor the present
// root mount may be shared; the caller must own the mount namespace
// (CAP_SYS_ADMIN) and should be the only one in it, because every process of
// that namespace whose root was the old one is moved. Errors are those of
// pivot_root(2); EINVAL and EBUSY are told with their reason.
//
// Man page: pivot_root(2), umount2(2)
type Pivot struct {
	Root string // a mount point, in a mount namespace of its own
}

// Do exchanges the two trees without needing a directory for the old one.
//
// # How it works
//
// pivot_root(2) wants a place below the new root for the old tree. Given "."
// twice, it stacks the old tree on the very directory that is now "/"
// (pivot_root(2), "pivot_root(\".\", \".\")"). A descriptor of the old root,
// taken before, lets us stand in it and take it away.
func (p Pivot) Do() error {
	want, err := os.Stat(p.Root)
	if err != nil {
		return err
	}
	old, err := os.OpenFile("/", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer old.Close() // a descriptor of the old tree must not outlive this step

	if err := unix.Chdir(p.Root); err != nil {
		return &os.PathError{Op: "chdir", Path: p.Root, Err: err}
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return p.explain(err)
	}
	if err := detach(old); err != nil {
		return err
	}
	return verifyRoot(want)
}

// detach unmounts the old tree, in which it stands meanwhile.
func detach(old *os.File) error {
	if err := old.Chdir(); err != nil {
		return err
	}
	// Without this the unmount would propagate to the host's own mounts, if
	// they are shared. Slave, not private: see runc's pivotRoot.
	if err := unix.Mount("", ".", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return &os.PathError{Op: "make slave", Path: "old root", Err: err}
	}
	// MNT_DETACH: the tree is busy (we stand in it), so it goes at once from
	// the name space and in truth when its last user has gone (umount2(2)).
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return &os.PathError{Op: "unmount", Path: "old root", Err: err}
	}
	if err := unix.Chdir("/"); err != nil {
		return &os.PathError{Op: "chdir", Path: "/", Err: err}
	}
	return nil
}

// explain says which of pivot_root(2)'s many reasons it was.
func (p Pivot) explain(err error) error {
	err = &os.PathError{Op: "pivot_root", Path: p.Root, Err: err}
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EBUSY) {
		return err
	}
	var st unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, p.Root, 0, 0, &st) == nil &&
		st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 &&
		st.Attributes&unix.STATX_ATTR_MOUNT_ROOT == 0 {
		return fmt.Errorf("%w: it is not a mount point; bind-mount it onto itself first", err)
	}
	return fmt.Errorf("%w: its parent mount or / is shared (mount --make-rprivate / first), or / is the initial ramfs", err)
}

// String is the same with util-linux. The shell needs an umount that the new
// root provides.
func (p Pivot) String() string {
	return "cd " + quote(p.Root) + " && pivot_root . . && mount --make-rslave . && umount --lazy . && cd /"
}
