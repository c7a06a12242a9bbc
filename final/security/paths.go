package security

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	chroot "cutaway/01-chroot"
	"cutaway/final/rootfs"

	"golang.org/x/sys/unix"
)

// MaskedPaths hold things of the host that no namespace covers (moby,
// daemon/pkg/oci/defaults.go).
var MaskedPaths = []string{
	"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
	"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
	"/sys/devices/virtual/powercap", "/sys/firmware",
}

// ReadonlyPaths are switches of the host's kernel.
var ReadonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}

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
	at, err := look(m.Root, m.Path)
	if at == nil {
		return err
	}
	defer at.Close()
	info, err := at.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return rootfs.Mount{Root: m.Root, Source: "tmpfs", Target: m.Path, Type: "tmpfs",
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
		return &os.PathError{Op: "stat", Path: null.Name(), Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(1, 3) {
		return fmt.Errorf("mask %q: /dev/null is not the null device", at.Name())
	}
	if err := unix.Mount(fdPath(null), fdPath(at), "", unix.MS_BIND, ""); err != nil {
		return &os.PathError{Op: "mask", Path: at.Name(), Err: err}
	}
	return nil
}

// String is mount(8), for either case.
func (m Mask) String() string {
	return fmt.Sprintf("if [ -d %[1]s ]; then mount -t tmpfs -o ro,nosuid,nodev,noexec,nr_inodes=1 tmpfs %[1]s; "+
		"elif [ -e %[1]s ]; then mount --bind /dev/null %[1]s; fi", word(m.Root, m.Path))
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
	at, err := look(r.Root, r.Path)
	if at == nil {
		return err
	}
	defer at.Close()
	return rootfs.Mount{Root: r.Root, Source: fdPath(at), Target: r.Path, Options: []string{"rbind", "ro"}}.Do()
}

// String is mount(8).
func (r ReadOnly) String() string {
	return fmt.Sprintf("[ ! -e %[1]s ] || { mount --rbind %[1]s %[1]s && mount -o remount,bind,ro %[1]s; }", word(r.Root, r.Path))
}

// look opens a path in a container's tree; nil if it leads nowhere, be it for
// its last name or for a file in the place of a directory.
func look(root, path string) (*os.File, error) {
	at, err := chroot.OpenIn(cmp.Or(root, "/"), path, unix.OpenHow{Flags: unix.O_PATH})
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		err = nil
	}
	return at, err
}

func fdPath(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

// word is a path in a container's tree as one word of a POSIX shell.
func word(root, path string) string { return rootfs.Quote(filepath.Join("/", root, path)) }
