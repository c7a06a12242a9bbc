package toolbox

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"
)

// mountEntry is one line of /proc/self/mounts, proc_pid_mounts(5):
//
//	overlay / overlay rw,relatime,lowerdir=… 0 0
type mountEntry struct{ source, target, kind, options string }

func mountTable() ([]mountEntry, error) {
	data, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	// Blanks in names are written as octal escapes.
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var table []mountEntry
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) >= 4 {
			table = append(table, mountEntry{unescape.Replace(f[0]), unescape.Replace(f[1]), f[2], f[3]})
		}
	}
	return table, nil
}

// mount lists the mounts of this mount namespace or makes one with mount(2), if the kernel lets it.
func mount(c *command) error {
	o, rest, err := c.parse("t: o:")
	if err != nil {
		return err
	}
	switch len(rest) {
	case 0:
		return listMounts(c, o["t"])
	case 2:
		flags, data := mountOptions(o["o"])
		if err := unix.Mount(rest[0], rest[1], o["t"], flags, data); err != nil {
			return &os.PathError{Op: "mount", Path: rest[1], Err: err}
		}
		return nil
	}
	return usagef("SOURCE and TARGET are needed")
}

func listMounts(c *command, kind string) error {
	table, err := mountTable()
	if err != nil {
		return err
	}
	for _, m := range table {
		if kind == "" || kind == m.kind {
			fmt.Fprintf(c.out, "%s on %s type %s (%s)\n", m.source, m.target, m.kind, m.options)
		}
	}
	return nil
}

// mountOptions divides "ro,size=1m" into flags for the kernel and the rest, which is the file system's.
func mountOptions(s string) (flags uintptr, data string) {
	var rest []string
	for option := range strings.SplitSeq(s, ",") {
		switch option {
		case "", "rw", "defaults":
		case "ro":
			flags |= unix.MS_RDONLY
		case "bind":
			flags |= unix.MS_BIND
		case "rbind":
			flags |= unix.MS_BIND | unix.MS_REC
		case "remount":
			flags |= unix.MS_REMOUNT
		case "nosuid":
			flags |= unix.MS_NOSUID
		case "nodev":
			flags |= unix.MS_NODEV
		case "noexec":
			flags |= unix.MS_NOEXEC
		default:
			rest = append(rest, option)
		}
	}
	return flags, strings.Join(rest, ",")
}

func umount(c *command) error {
	o, targets, err := c.operands("l", 1)
	if err != nil {
		return err
	}
	flags := 0
	if o.has("l") {
		flags = unix.MNT_DETACH
	}
	return each(targets, func(target string) error {
		if err := unix.Unmount(target, flags); err != nil {
			return &os.PathError{Op: "unmount", Path: target, Err: err}
		}
		return nil
	})
}

// df asks statfs(2) about the named files' file systems, or about all that have a size.
func df(c *command) error {
	o, files, err := c.parse("h")
	if err != nil {
		return err
	}
	table, err := mountTable()
	if err != nil && len(files) == 0 {
		return err
	}
	if len(files) == 0 {
		for _, m := range table {
			files = append(files, m.target)
		}
	}
	size := func(kib uint64) string { return fmt.Sprint(kib) }
	title := "1K-blocks"
	if o.has("h") {
		size, title = func(kib uint64) string { return humanSize(kib * 1024) }, "Size"
	}
	w := tabwriter.NewWriter(c.out, 0, 1, 2, ' ', 0)
	defer w.Flush()
	fmt.Fprintf(w, "%s\tUsed\tAvailable\tUse%%\tMounted on\n", title)
	var errs []error
	for _, name := range files {
		var s unix.Statfs_t
		if err := unix.Statfs(name, &s); err != nil {
			errs = append(errs, &os.PathError{Op: "statfs", Path: name, Err: err})
			continue
		}
		if s.Blocks == 0 { // proc, sysfs and the like hold nothing
			continue
		}
		unit := uint64(s.Bsize) // bytes
		total, used, free := s.Blocks*unit/1024, (s.Blocks-s.Bfree)*unit/1024, s.Bavail*unit/1024
		fmt.Fprintf(w, "%s\t%s\t%s\t%d%%\t%s\n", size(total), size(used), size(free), used*100/max(1, used+free), name)
	}
	return errors.Join(errs...)
}
