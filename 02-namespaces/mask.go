package namespaces

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Mask hides a path that no namespace covers: /proc/kcore is the host's
// memory, and /sys/firmware its firmware. A file is covered by /dev/null, a
// directory by an empty read-only tmpfs.
//
// A missing path is fine. Errors are those of mount(2).
//
// Man page: mount(2)
type Mask struct {
	Root string // the container's tree; "" = "/"
	Path string // in Root
}

// Do covers the path.
func (m Mask) Do() error {
	at, err := resolve(m.Root, m.Path)
	if absent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer at.Close()
	info, err := at.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return Mount{Root: m.Root, Source: "tmpfs", Target: m.Path, Type: "tmpfs",
			Options: []string{"ro", "nosuid", "nodev", "noexec", "nr_inodes=1"}}.Do()
	}
	return maskFile(at)
}

// maskFile binds /dev/null over a file. It binds what it looked at, not what
// the name leads to a moment later: a /dev/null that became a symbolic link
// once gave containers the host's files (CVE-2025-31133).
func maskFile(at *os.File) error {
	null, err := os.OpenFile("/dev/null", unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(null.Fd()), &st); err != nil {
		return pathError("stat", null.Name(), err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(1, 3) {
		return fmt.Errorf("mask %q: /dev/null is not the null device", at.Name())
	}
	return pathError("mask", at.Name(), unix.Mount(fdPath(null), fdPath(at), "", unix.MS_BIND, ""))
}

// String is mount(8), for either case.
func (m Mask) String() string {
	path := quote(filepath.Join("/", m.Root, m.Path))
	return fmt.Sprintf("if [ -d %[1]s ]; then mount -t tmpfs -o ro,nosuid,nodev,noexec,nr_inodes=1 tmpfs %[1]s; "+
		"elif [ -e %[1]s ]; then mount --bind /dev/null %[1]s; fi", path)
}

// ReadOnly lets a container look at but not change a part of /proc or /sys
// that configures the whole host, such as /proc/sys or /proc/bus.
//
// A missing path is fine. Errors are those of mount(2).
//
// Man page: mount(2)
type ReadOnly struct {
	Root string // the container's tree; "" = "/"
	Path string // in Root
}

// Do binds the path onto itself, for only a mount point can be read-only.
func (r ReadOnly) Do() error {
	at, err := resolve(r.Root, r.Path)
	if absent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer at.Close()
	return Mount{Root: r.Root, Source: fdPath(at), Target: r.Path,
		Options: []string{"rbind", "ro"}}.Do()
}

// String is mount(8).
func (r ReadOnly) String() string {
	path := quote(filepath.Join("/", r.Root, r.Path))
	return fmt.Sprintf("[ ! -e %[1]s ] || { mount --rbind %[1]s %[1]s && mount -o remount,bind,ro %[1]s; }", path)
}

// absent reports that a path leads nowhere, be it for its last name or for a
// file in the place of a directory.
func absent(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENOTDIR)
}
