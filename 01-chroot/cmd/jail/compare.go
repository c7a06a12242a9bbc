package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"golang.org/x/sys/unix"

	chroot "cutaway/01-chroot"
)

// compare tries every escape on a jail of each kind, in a process and a
// directory of its own, and prints who got out.
func compare(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "escape\tchroot\tpivot\tpivot, defended")
	for _, e := range chroot.Escapes {
		fmt.Fprint(w, e.Name)
		for _, p := range []prison{{By: "chroot"}, {By: "pivot"}, {By: "pivot", Defended: true}} {
			p.Escape = e.Name
			got, err := outcome(p)
			if err != nil {
				return err
			}
			fmt.Fprint(w, "\t", got)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// outcome says where one prisoner ended: "out", or "held".
func outcome(p prison) (string, error) {
	root, err := os.MkdirTemp("", "jail-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(root)
	p.Root = root
	if p.Outside, err = identity("/"); err != nil {
		return "", err
	}
	cmd, err := prisoner(p)
	if err != nil {
		return "", err
	}
	cmd.Stderr = os.Stderr
	said, err := cmd.Output()
	return string(said), err
}

// verdict is said by the prisoner, after an escape that returned err.
func (p prison) verdict(err error) (string, error) {
	if errors.Is(err, chroot.ErrHeld) {
		return "held", nil
	}
	if err != nil {
		return "", err
	}
	here, err := identity("/")
	if err != nil {
		return "", err
	}
	if here != p.Outside {
		return "", fmt.Errorf("neither in nor out: / is %s, not %s", here, p.Outside)
	}
	return "out", nil
}

// identity names a file by what two names for it have in common.
func identity(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return fmt.Sprintf("device %d, inode %d", st.Dev, st.Ino), nil
}
