package rootfs

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	namespaces "cutaway/02-namespaces"

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
// Man page: mount(2), mount_setattr(2), mount_namespaces(7)
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
	o := parse(m.Options)
	if !o.is(unix.MS_BIND | unix.MS_REMOUNT) { // that is only about flags
		if err := m.attach(o); err != nil {
			return err
		}
	}
	// Opened again: the first descriptor is the directory below the mount.
	at, err := open(m.Root, m.Target)
	if err != nil {
		return err
	}
	defer at.Close()

	if o.is(unix.MS_BIND) {
		if err := setattr(at, o.own, 0); err != nil {
			return err
		}
	}
	if err := setattr(at, unix.MountAttr{Attr_set: o.below}, unix.AT_RECURSIVE); err != nil {
		return err
	}
	for _, mode := range o.modes {
		if err := (namespaces.Propagation{Target: fdPath(at), Mode: mode}).Do(); err != nil {
			return fmt.Errorf("%s: %w", at.Name(), err)
		}
	}
	return verify(at, o.own.Attr_set|o.below)
}

// attach is mount(2) on a descriptor of the target, so that what was resolved
// is what is mounted on, even if the path changes meanwhile.
func (m Mount) attach(o *options) error {
	kind := os.ModeDir | 0o755
	if o.is(unix.MS_BIND) {
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
	err = unix.Mount(m.Source, fdPath(target), m.Type, o.flags, strings.Join(o.data, ","))
	switch {
	case errors.Is(err, unix.ENOTDIR) && o.is(unix.MS_BIND):
		return fmt.Errorf("bind %q: %w: a file can be mounted on a file only, and a directory on a directory", m.Source, pathError("mount", target.Name(), err))
	case err != nil:
		return fmt.Errorf("%s %q: %w", cmp.Or(m.Type, "bind"), m.Source, pathError("mount", target.Name(), err))
	}
	return nil
}

// setattr changes some flags of a mount and leaves the others: those that a
// bind has from its source, and that a user namespace's owner may not drop
// (mount_namespaces(7), "Restrictions on mount namespaces"). mount(2) cannot:
// it ignores them in the call that binds, and its remount replaces them all.
func setattr(at *os.File, attr unix.MountAttr, recursive uint) error {
	if attr.Attr_set|attr.Attr_clr == 0 {
		return nil
	}
	return pathError("mount_setattr", at.Name(), unix.MountSetattr(int(at.Fd()), "", unix.AT_EMPTY_PATH|recursive, &attr))
}

// verify compares the flags that protect with what the kernel says: statfs(2)'s
// numbers for these are the same.
func verify(at *os.File, set uint64) error {
	const protect = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(at.Fd()), &st); err != nil {
		return pathError("statfs", at.Name(), err)
	}
	if missing := set & protect &^ uint64(st.Flags); missing != 0 {
		return fmt.Errorf("mount on %q: flags %#x did not take", at.Name(), missing)
	}
	return nil
}

// String is mount(8). It resolves Target as the host does, and is for trees
// that one trusts. A bind's flags are a command of their own: with them,
// mount --bind would drop those of the source.
func (m Mount) String() string {
	o := parse(m.Options)
	source, target := Quote(m.Source), Quote(onHost(m.Root, m.Target))
	if o.is(unix.MS_REMOUNT) { // here "bind" is an option: the mount's flags, not the file system's
		return "mount" + with(m.Options) + " " + target
	}
	cmds := []string{"mkdir -p " + target, "mount -t " + m.Type + with(o.rest) + " " + source + " " + target}
	if o.is(unix.MS_BIND) {
		how := "--bind"
		if o.is(unix.MS_REC) {
			how = "--rbind"
		}
		cmds = []string{
			fmt.Sprintf("{ [ -d %[1]s ] && mkdir -p %[2]s || touch %[2]s; }", source, target),
			"mount " + how + " " + source + " " + target,
		}
		if o.rest != nil {
			cmds = append(cmds, "mount"+with(append([]string{"remount", "bind"}, o.rest...))+" "+target)
		}
	}
	if o.tree != nil { // mount(8) has "ro=recursive" since util-linux 2.39; before, it ignores that word
		again := "mount" + with(append([]string{"remount", "bind"}, o.tree...))
		cmds = append(cmds, fmt.Sprintf(`findmnt -rno TARGET -R %s | while read -r m; do %s "$(printf %%b "$m")"; done`, target, again))
	}
	for _, mode := range o.modes {
		cmds = append(cmds, fmt.Sprintf("mount --make-%s %s", mode, target))
	}
	return strings.Join(cmds, " && ")
}

// with is mount(8)'s -o.
func with(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return " -o " + Quote(strings.Join(words, ","))
}
