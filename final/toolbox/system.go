package toolbox

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// lookPath finds a program as execvp(3) does. os/exec has a rule of its own: it refuses the working directory.
func lookPath(name, path string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, dir := range filepath.SplitList(path) {
		candidate := filepath.Join(dir, name)
		if info, err := os.Stat(candidate); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return candidate, nil
		}
	}
	return "", &exec.Error{Name: name, Err: os.ErrNotExist}
}

func hostname(c *command) error {
	_, rest, err := c.parse("")
	if err != nil {
		return err
	}
	if len(rest) == 1 {
		return os.NewSyscallError("sethostname", unix.Sethostname([]byte(rest[0])))
	}
	name, err := os.Hostname()
	fmt.Fprintln(c.out, name)
	return err
}

func pwd(c *command) error {
	if _, err := c.noOperands("L P"); err != nil {
		return err
	}
	dir, err := os.Getwd()
	if err == nil {
		fmt.Fprintln(c.out, dir)
	}
	return err
}

func uname(c *command) error {
	o, err := c.noOperands("a s n r v m")
	if err != nil {
		return err
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return os.NewSyscallError("uname", err)
	}
	var parts []string
	for _, f := range []struct {
		option string
		value  []byte
	}{{"s", u.Sysname[:]}, {"n", u.Nodename[:]}, {"r", u.Release[:]}, {"v", u.Version[:]}, {"m", u.Machine[:]}} {
		if o.has(f.option) || o.has("a") || len(o) == 0 && f.option == "s" {
			parts = append(parts, string(bytes.TrimRight(f.value, "\x00")))
		}
	}
	_, err = fmt.Fprintln(c.out, strings.Join(parts, " "))
	return err
}

// nproc prints how many processors the process may run on: the cpuset's and sched_setaffinity(2)'s word.
func nproc(c *command) error {
	if _, err := c.noOperands(""); err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.out, runtime.NumCPU())
	return err
}

func tty(c *command) error {
	if _, err := c.noOperands(""); err != nil {
		return err
	}
	if !term.IsTerminal(int(c.in.Fd())) {
		fmt.Fprintln(c.out, "not a tty")
		return status(1)
	}
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", c.in.Fd()))
	fmt.Fprintln(c.out, name)
	return err
}

func stty(c *command) error {
	if len(c.args) != 1 || c.args[0] != "size" {
		return usagef("only \"size\" is known")
	}
	width, height, err := term.GetSize(int(c.in.Fd()))
	if err != nil {
		return fmt.Errorf("get the size of standard input: %w", err)
	}
	_, err = fmt.Fprintln(c.out, height, width)
	return err
}

// date prints the time, in the format of strftime(3) as far as the table below goes.
func date(c *command) error {
	o, rest, err := c.parse("u")
	if err != nil {
		return err
	}
	t := time.Now()
	if o.has("u") {
		t = t.UTC()
	}
	format := "+%a %b %e %H:%M:%S %Z %Y"
	if len(rest) > 0 {
		format = rest[0]
	}
	if len(rest) > 1 || !strings.HasPrefix(format, "+") {
		return usagef("the format begins with \"+\"")
	}
	text, err := strftime(t, format[1:])
	if err == nil {
		fmt.Fprintln(c.out, text)
	}
	return err
}

func strftime(t time.Time, format string) (string, error) {
	layouts := map[byte]string{
		'a': "Mon", 'b': "Jan", 'd': "02", 'e': "_2", 'F': time.DateOnly, 'H': "15", 'M': "04", 'm': "01",
		'N': ".000000000", 'S': "05", 'T': time.TimeOnly, 'Y': "2006", 'y': "06", 'Z': "MST", 'z': "-0700", 'j': "002",
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		layout, ok := layouts[format[i]]
		switch {
		case format[i] == 's':
			fmt.Fprint(&b, t.Unix())
		case format[i] == '%':
			b.WriteByte('%')
		case ok:
			b.WriteString(strings.TrimPrefix(t.Format(layout), "."))
		default:
			return "", usagef("unknown format %%%c", format[i])
		}
	}
	return b.String(), nil
}
