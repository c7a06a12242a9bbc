package toolbox

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

func hostname(c *command) error {
	if len(c.args) > 0 {
		return os.NewSyscallError("sethostname", unix.Sethostname([]byte(c.args[0])))
	}
	name, err := os.Hostname()
	fmt.Fprintln(c.out, name)
	return err
}

func uname(c *command) error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return os.NewSyscallError("uname", err)
	}
	var parts []string
	for _, f := range [...]struct {
		option string
		value  []byte
	}{{"s", u.Sysname[:]}, {"n", u.Nodename[:]}, {"r", u.Release[:]}, {"v", u.Version[:]}, {"m", u.Machine[:]}} {
		if c.has(f.option) || c.has("a") || len(c.options) == 0 && f.option == "s" {
			parts = append(parts, unix.ByteSliceToString(f.value))
		}
	}
	_, err := fmt.Fprintln(c.out, strings.Join(parts, " "))
	return err
}

func date(c *command) error {
	_, err := fmt.Fprintln(c.out, time.Now().Format(time.UnixDate))
	return err
}

func tty(c *command) error {
	if !term.IsTerminal(int(c.in.Fd())) {
		fmt.Fprintln(c.out, "not a tty")
		return status(1)
	}
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", c.in.Fd()))
	fmt.Fprintln(c.out, name)
	return err
}

func stty(c *command) error {
	if c.args[0] != "size" {
		return usagef("only \"size\" is known")
	}
	width, height, err := term.GetSize(int(c.in.Fd()))
	if err != nil {
		return fmt.Errorf("get the size of standard input: %w", err)
	}
	_, err = fmt.Fprintln(c.out, height, width)
	return err
}

// mountTable reads /proc/self/mounts, proc_pid_mounts(5). Of each line it returns the source, the target, the
// type and the options:
//
//	overlay / overlay rw,relatime,lowerdir=… 0 0
func mountTable() ([][]string, error) {
	data, err := os.ReadFile("/proc/self/mounts")
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var table [][]string
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		for i := range fields {
			fields[i] = unescape.Replace(fields[i])
		}
		table = append(table, fields[:4])
	}
	return table, err
}

// mount lists the mounts of this mount namespace or makes one with mount(2), if the kernel lets it.
func mount(c *command) error {
	kind := c.options["t"]
	switch len(c.args) {
	case 0:
		table, err := mountTable()
		for _, m := range table {
			if kind == "" || kind == m[2] {
				fmt.Fprintf(c.out, "%s on %s type %s (%s)\n", m[0], m[1], m[2], m[3])
			}
		}
		return err
	case 2:
		flags, data := mountOptions(c.options["o"])
		return pathError("mount", c.args[1], unix.Mount(c.args[0], c.args[1], kind, flags, data))
	}
	return usagef("SOURCE and TARGET are needed")
}

// mountOptions divides "ro,size=1m" into flags for the kernel and the rest, which is the file system's.
func mountOptions(s string) (flags uintptr, data string) {
	var rest []string
	for option := range strings.SplitSeq(s, ",") {
		switch option {
		case "ro":
			flags |= unix.MS_RDONLY
		case "bind":
			flags |= unix.MS_BIND
		case "remount":
			flags |= unix.MS_REMOUNT
		default:
			rest = append(rest, option)
		}
	}
	return flags, strings.Join(rest, ",")
}

func umount(c *command) error {
	flags := 0
	if c.has("l") {
		flags = unix.MNT_DETACH
	}
	return each(c.args, func(target string) error { return pathError("unmount", target, unix.Unmount(target, flags)) })
}

// df asks statfs(2) about the named files' file systems, or about all that have a size.
func df(c *command) error {
	files := c.args
	if len(files) == 0 {
		table, err := mountTable()
		if err != nil {
			return err
		}
		for _, m := range table {
			files = append(files, m[1])
		}
	}
	title, size := "1K-blocks", func(bytes uint64) string { return fmt.Sprint(bytes / 1024) }
	if c.has("h") {
		title, size = "Size", humanSize
	}
	w := tabwriter.NewWriter(c.out, 0, 1, 2, ' ', 0)
	defer w.Flush()
	fmt.Fprintf(w, "%s\tUsed\tAvailable\tUse%%\tMounted on\n", title)
	return each(files, func(name string) error {
		var s unix.Statfs_t
		if err := unix.Statfs(name, &s); err != nil || s.Blocks == 0 { // proc, sysfs and the like hold nothing
			return pathError("statfs", name, err)
		}
		unit := uint64(s.Bsize) // bytes
		used, free := (s.Blocks-s.Bfree)*unit, s.Bavail*unit
		fmt.Fprintf(w, "%s\t%s\t%s\t%d%%\t%s\n", size(s.Blocks*unit), size(used), size(free), used*100/max(1, used+free), name)
		return nil
	})
}

// humanSize is a number of bytes as "1.5MiB".
func humanSize(bytes uint64) string { return units.BytesSize(float64(bytes)) }
