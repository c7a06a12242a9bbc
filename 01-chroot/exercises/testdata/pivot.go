package chroot

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// DoByChroot looks right from the inside.
//
// Caught by: old tree
func (p Pivot) DoByChroot() error { return Chroot{Root: p.Root}.Do() }

// DoWithDirectory needs a place for the old root, and leaves it there.
//
// Caught by: root directory
func (p Pivot) DoWithDirectory() error {
	if err := os.Mkdir(filepath.Join(p.Root, ".old"), 0o700); err != nil {
		return err
	}
	if err := unix.PivotRoot(p.Root, filepath.Join(p.Root, ".old")); err != nil {
		return p.explain(err)
	}
	if err := unix.Mount("", "/.old", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := unix.Unmount("/.old", unix.MNT_DETACH); err != nil {
		return err
	}
	return os.Chdir("/")
}

// DoHoldingOn forgets to close the old root.
//
// Caught by: descriptors
func (p Pivot) DoHoldingOn() error {
	old, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	if err := os.Chdir(p.Root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return p.explain(err)
	}
	return detach(os.NewFile(uintptr(old), "old root"))
}

// detachNot leaves the old tree under everything.
//
// Caught by: old tree
func detachNot(*os.File) error { return nil }

// detachEverywhere has no MS_SLAVE, and no MS_PRIVATE either.
//
// Caught by: mounts of the host
func detachEverywhere(old *os.File) error {
	if err := old.Chdir(); err != nil {
		return err
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return err
	}
	return unix.Chdir("/")
}

// detachOnlyTheTop makes the upper mount a slave, and those below it stay shared.
//
// Caught by: mounts of the host
func detachOnlyTheTop(old *os.File) error {
	if err := old.Chdir(); err != nil {
		return err
	}
	if err := unix.Mount("", ".", "", unix.MS_SLAVE, ""); err != nil {
		return err
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return err
	}
	return unix.Chdir("/")
}
