package exercises

import (
	"errors"

	"golang.org/x/sys/unix"

	chroot "cutaway/01-chroot"
)

// The roles: what runs in a process of its own, since it moves the root.

// jail moves into a root.
func jail(args []string) (any, error) { return nil, chroot.Chroot{Root: args[0]}.Do() }

// pivot moves into a root, which is made a mount point first.
func pivot(args []string) (any, error) {
	if err := bind(args[0]); err != nil {
		return nil, err
	}
	return nil, chroot.Pivot{Root: args[0]}.Do()
}

func bind(dir string) error { return unix.Mount(dir, dir, "", unix.MS_BIND|unix.MS_REC, "") }

// pivotWrongly asks for what the kernel refuses: a root that is no mount point, or whose parent mount is shared.
func pivotWrongly(args []string) (any, error) {
	if reason, root := args[0], args[1]; reason == "shared" {
		if err := unix.Mount("", "/", "", unix.MS_SHARED, ""); err != nil {
			return nil, err
		}
		if err := bind(root); err != nil {
			return nil, err
		}
	}
	return nil, chroot.Pivot{Root: args[1]}.Do()
}

// breakout moves into a root by chroot or pivot, and tries to leave. It saw whether it was told to be held.
func breakout(args []string) (any, error) {
	by, root := args[0], args[1]
	if err := bind(root); err != nil {
		return nil, err
	}
	enter := chroot.Chroot{Root: root}.Do
	if by == "pivot" {
		enter = chroot.Pivot{Root: root}.Do
	}
	if err := enter(); err != nil {
		return nil, err
	}
	err := chroot.DotDot()
	return errors.Is(err, chroot.ErrHeld), err
}
