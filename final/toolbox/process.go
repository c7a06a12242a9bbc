package toolbox

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// ps lists all processes that /proc shows, in whatever way it is called: "ps", "ps aux", "ps -ef".
func ps(c *command) error {
	fields := "pid,user,args"
	if c.has("f") {
		fields = "pid,ppid,user,args"
	}
	if c.has("o") {
		fields = c.options["o"]
	}
	dirs, err := filepath.Glob("/proc/[0-9]*")
	slices.SortFunc(dirs, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) }) // as numbers
	w := tabwriter.NewWriter(c.out, 0, 1, 2, ' ', 0)
	defer w.Flush()
	fmt.Fprintln(w, strings.NewReplacer(",", "\t", "ARGS", "COMMAND").Replace(strings.ToUpper(fields)))
	for _, dir := range dirs {
		text, err := os.ReadFile(dir + "/status")
		if err != nil { // it has ended meanwhile
			continue
		}
		cells := strings.Split(fields, ",")
		for i, field := range cells {
			if cells[i], err = processField(dir, string(text), field); err != nil {
				return err
			}
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return err
}

// processField finds one thing about a process, in lines like these of proc_pid_status(5):
//
//	Name:	sleep
//	State:	S (sleeping)
//	Uid:	0	0	0	0
//	VmRSS:	    1234 kB	(a kernel thread or a zombie has none)
func processField(dir, text, field string) (string, error) {
	line := func(name string) string {
		_, after, _ := strings.Cut("\n"+text, "\n"+name+":")
		value, _, _ := strings.Cut(strings.TrimLeft(after, "\t "), "\n")
		return value
	}
	first := func(name string) string {
		word, _, _ := strings.Cut(strings.ReplaceAll(line(name), "\t", " "), " ")
		return word
	}
	switch field {
	case "pid":
		return filepath.Base(dir), nil
	case "ppid":
		return first("PPid"), nil
	case "user":
		uid, _ := strconv.Atoi(first("Uid"))
		return userName(uint32(uid)), nil
	case "stat":
		return first("State"), nil
	case "rss":
		return first("VmRSS"), nil
	case "comm":
		return line("Name"), nil
	case "args":
		cmdline, _ := os.ReadFile(dir + "/cmdline")
		if args := strings.TrimRight(strings.ReplaceAll(string(cmdline), "\x00", " "), " "); args != "" {
			return args, nil
		}
		return "[" + line("Name") + "]", nil // see VmRSS
	}
	return "", usagef("unknown field %q", field)
}

// kill understands -9, -KILL, -SIGKILL and -s KILL.
func kill(c *command) error {
	args, sig := c.args, unix.SIGTERM
	if len(args) > 0 && strings.HasPrefix(args[0], "-") && args[0] != "--" {
		name := args[0][1:]
		if args = args[1:]; name == "s" && len(args) > 0 {
			name, args = args[0], args[1:]
		}
		var ok bool
		if sig, ok = signalNumber(name); !ok {
			return usagef("unknown signal %q", name)
		}
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return usagef("missing operand")
	}
	return each(args, func(arg string) error {
		pid, err := strconv.Atoi(arg)
		if err != nil {
			return usagef("%q is not a process ID", arg)
		}
		return os.NewSyscallError("kill "+arg, unix.Kill(pid, sig))
	})
}

func sleep(c *command) error {
	if c.args[0] == "inf" || c.args[0] == "infinity" {
		c.args[0] = "36500d"
	}
	d, err := duration(c.args[0])
	time.Sleep(d)
	return err
}

func id(c *command) error {
	show := func(file string, id int) string {
		name, number := account(file, strconv.Itoa(id))
		switch {
		case c.has("n"):
			return name
		case c.has("u"), c.has("g"), name == number:
			return number
		}
		return number + "(" + name + ")"
	}
	line := show("passwd", os.Geteuid())
	if c.has("g") {
		line = show("group", os.Getegid())
	} else if !c.has("u") {
		line = "uid=" + line + " gid=" + show("group", os.Getegid())
		groups, _ := os.Getgroups()
		for i, g := range groups {
			line += [...]string{" groups=", ","}[min(i, 1)] + show("group", g)
		}
	}
	_, err := fmt.Fprintln(c.out, line)
	return err
}

func whoami(c *command) error {
	_, err := fmt.Fprintln(c.out, userName(uint32(os.Geteuid())))
	return err
}

// env prints the environment or runs a command in a changed one, which replaces this process; 127 says that it
// does not exist, 126 that it cannot be executed.
func env(c *command) error {
	rest := c.args
	for len(rest) > 0 && strings.Contains(rest[0], "=") {
		name, value, _ := strings.Cut(rest[0], "=")
		if err := os.Setenv(name, value); err != nil {
			return err
		}
		rest = rest[1:]
	}
	if len(rest) == 0 {
		_, err := io.WriteString(c.out, strings.Join(append(os.Environ(), ""), "\n"))
		return err
	}
	path, err := lookPath(rest[0], os.Getenv("PATH"))
	if err == nil {
		err = pathError("execute", path, unix.Exec(path, rest, os.Environ()))
	}
	fmt.Fprintf(c.err, "env: %v\n", err)
	if errors.Is(err, os.ErrNotExist) {
		return status(127)
	}
	return status(126)
}

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
	return "", &exec.Error{Name: name, Err: syscall.ENOENT}
}
