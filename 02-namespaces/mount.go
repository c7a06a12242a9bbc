package namespaces

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Mount attaches a file system in a container's tree: its own /proc, /dev and
// /sys, a volume, or a single file such as /etc/hosts. A mount is seen only in
// the mount namespace of its maker, once propagation is off.
//
// Target is resolved inside Root, so that no symbolic link in an image leads
// out of it, and is made if it is missing: a directory, or an empty file for
// the bind of a file. Options are the words of an OCI config.json. A bind
// keeps the flags of its source (nosuid, nodev, noexec, ro, the atime ones)
// unless the options ask for the opposite; in a user namespace the kernel
// insists on them. Errors are those of mount(2), and an error if the flags
// read back are not those that were asked for.
//
// There is no Undo: the mounts end with the namespace. Not guaranteed: that the
// flags reach this mount if somebody exchanges directories in Root between the
// calls. They then reach another one inside Root, never one outside.
//
// Man page: mount(2), mount_namespaces(7)
type Mount struct {
	Root    string   // the container's tree; "" = "/"
	Source  string   // a host path for a bind, else what mountinfo shows
	Target  string   // in Root
	Type    string   // "proc", "tmpfs", …; unimportant for a bind
	Options []string // "ro", "nosuid", "rbind", "rprivate", "mode=755", …
}

// Do mounts in up to four calls, because mount(2) takes one kind of change at
// a time: the mount, a bind's flags, flags for the tree below, propagation.
func (m Mount) Do() error {
	opts := parse(m.Options)
	if !opts.is(unix.MS_BIND) || !opts.is(unix.MS_REMOUNT) { // "remount,bind" is only about flags
		if err := m.attach(opts); err != nil {
			return err
		}
	}
	// Resolved again: the first descriptor is the directory below the mount.
	at, err := resolve(m.Root, m.Target)
	if err != nil {
		return err
	}
	defer at.Close()

	if opts.is(unix.MS_BIND) {
		if err := setFlags(at, opts); err != nil {
			return err
		}
	}
	if opts.setattr != 0 {
		attr := unix.MountAttr{Attr_set: opts.setattr}
		err := unix.MountSetattr(int(at.Fd()), "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr)
		if err != nil {
			return pathError("mount_setattr", at.Name(), err)
		}
	}
	for _, mode := range opts.propagate {
		if err := propagate(at, mode); err != nil {
			return err
		}
	}
	return verifyFlags(at, opts)
}

// attach is mount(2) on a descriptor of the target, so that what was resolved
// is what is mounted on, even if the path changes meanwhile.
func (m Mount) attach(opts parsed) error {
	kind := os.ModeDir | 0o755
	if opts.is(unix.MS_BIND) {
		info, err := os.Stat(m.Source)
		if err != nil {
			return fmt.Errorf("mount source: %w", err)
		}
		if !info.IsDir() {
			kind = 0o644
		}
	}
	target, err := create(m.Root, m.Target, kind)
	if err != nil {
		return fmt.Errorf("mount point: %w", err)
	}
	defer target.Close()
	err = unix.Mount(m.Source, fdPath(target), m.Type, opts.flags, opts.data)
	switch {
	case errors.Is(err, unix.ENOTDIR) && opts.is(unix.MS_BIND):
		return fmt.Errorf("bind %q: %w: a file can be mounted on a file only, and a directory on a directory", m.Source, pathError("mount", target.Name(), err))
	case err != nil:
		return fmt.Errorf("%s %q: %w", cmp.Or(m.Type, "bind"), m.Source, pathError("mount", target.Name(), err))
	}
	return nil
}

// keep are the flags that a mount carries for itself. A user namespace's owner
// may not drop them from what it was given (mount_namespaces(7),
// "Restrictions on mount namespaces": locked flags).
const keep = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC |
	unix.MS_NOATIME | unix.MS_NODIRATIME | unix.MS_NOSYMFOLLOW

// setFlags gives a bind mount its flags. The first mount(2) of a bind ignores
// them all, and the second replaces the whole set; so we begin with those
// that the mount has from its source.
func setFlags(at *os.File, opts parsed) error {
	const atime = unix.MS_RELATIME | unix.MS_STRICTATIME
	wanted := opts.flags & (keep | atime)
	if wanted|opts.cleared == 0 {
		return nil
	}
	has, err := flagsOf(at)
	if err != nil {
		return err
	}
	if wanted&atime != 0 {
		has &^= unix.MS_NOATIME
	}
	flags := wanted | has&^opts.cleared | unix.MS_BIND | unix.MS_REMOUNT
	return pathError("remount", at.Name(), unix.Mount("", fdPath(at), "", flags, ""))
}

// flagsOf reads a mount's flags back: statfs(2), in mount(2)'s numbers.
func flagsOf(at *os.File) (uintptr, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(at.Fd()), &st); err != nil {
		return 0, pathError("statfs", at.Name(), err)
	}
	flags := uintptr(st.Flags) & (keep &^ unix.MS_NOSYMFOLLOW) // ST_… = MS_… for these
	if st.Flags&unix.ST_RELATIME != 0 {
		flags |= unix.MS_RELATIME
	}
	if st.Flags&stNoSymFollow != 0 {
		flags |= unix.MS_NOSYMFOLLOW
	}
	return flags, nil
}

const stNoSymFollow = 0x2000 // ST_NOSYMFOLLOW, statfs.h; since Linux 5.10

// verifyFlags compares what was asked for with what the kernel says.
func verifyFlags(at *os.File, opts parsed) error {
	has, err := flagsOf(at)
	if err != nil {
		return err
	}
	wanted := opts.flags&keep | uintptr(opts.setattr)&keep // MOUNT_ATTR_RDONLY … = MS_RDONLY …
	if missing := wanted &^ has; missing != 0 {
		return fmt.Errorf("mount on %q: flags %#x did not take", at.Name(), missing)
	}
	return nil
}

// String is mount(8). It resolves Target as the host does, and is for trees
// that one trusts. A bind's flags are a command of their own: with them,
// mount --bind would drop those of the source.
func (m Mount) String() string {
	opts := parse(m.Options)
	source, target := quote(m.Source), quote(filepath.Join("/", m.Root, m.Target))
	make, how := "mkdir -p "+target, "-t "+m.Type
	if opts.is(unix.MS_REMOUNT) { // here "bind" is an option: the mount's flags, not the file system's
		return fmt.Sprintf("mount -o %s %s", quote(strings.Join(m.Options, ",")), target)
	}
	words, flags := m.Options, []string(nil)
	if opts.is(unix.MS_BIND) {
		make = fmt.Sprintf("{ [ -d %[1]s ] && mkdir -p %[2]s || touch %[2]s; }", source, target)
		how = "--bind"
		words, flags = bindOptions(m.Options)
	}
	if opts.is(unix.MS_REC) {
		how = "--rbind"
	}
	cmds := []string{make, fmt.Sprintf("mount %s%s %s %s", how, shellOptions(words), source, target)}
	if flags != nil {
		cmds = append(cmds, fmt.Sprintf("mount -o remount,bind,%s %s", quote(strings.Join(flags, ",")), target))
	}
	for _, mode := range opts.propagate {
		cmds = append(cmds, fmt.Sprintf("mount --make-%s %s", mode, target))
	}
	return strings.Join(cmds, " && ")
}
