package toolbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// process is what ps knows of one process, from /proc/PID: proc_pid_stat(5), proc_pid_cmdline(5).
type process struct {
	pid, ppid int
	uid       uint32
	state     string
	comm      string
	args      string
	ticks     int // user and system time, in 1/100 s
	rss       int // KiB
}

func ps(c *command) error {
	if len(c.args) > 0 && strings.Trim(c.args[0], "aux") == "" { // "ps aux", without a dash
		c.args = c.args[1:]
	}
	o, err := c.noOperands("A a e f w o:")
	if err != nil {
		return err
	}
	fields := []string{"pid", "user", "time", "args"}
	if o.has("f") {
		fields = []string{"pid", "ppid", "user", "time", "args"}
	}
	if o.has("o") {
		fields = strings.Split(o["o"], ",")
	}
	all, err := processes()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(c.out, 0, 1, 2, ' ', 0)
	defer w.Flush()
	fmt.Fprintln(w, strings.ToUpper(strings.ReplaceAll(strings.Join(fields, "\t"), "args", "command")))
	for _, p := range all {
		cells := make([]string, len(fields))
		for i, field := range fields {
			if cells[i], err = p.field(field); err != nil {
				return err
			}
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return nil
}

func (p process) field(name string) (string, error) {
	switch name {
	case "pid":
		return strconv.Itoa(p.pid), nil
	case "ppid":
		return strconv.Itoa(p.ppid), nil
	case "user":
		return userName(p.uid), nil
	case "uid":
		return strconv.FormatUint(uint64(p.uid), 10), nil
	case "stat":
		return p.state, nil
	case "rss":
		return strconv.Itoa(p.rss), nil
	case "time":
		return fmt.Sprintf("%d:%02d", p.ticks/6000, p.ticks/100%60), nil
	case "comm":
		return p.comm, nil
	case "args":
		return p.args, nil
	}
	return "", usagef("unknown field %q", name)
}

// processes reads all of /proc, in the order of their IDs. A process that ends meanwhile is left out.
func processes() ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var all []process
	for _, e := range entries {
		pid := number(e.Name())
		if pid < 0 {
			continue
		}
		if p, err := readProcess(pid); err == nil {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b process) int { return a.pid - b.pid })
	return all, nil
}

// readProcess reads one process. The name in its "stat" is in parentheses and may itself hold ") ":
//
//	7 (sleep) S 1 7 1 0 -1 4194304 … (field 2 is the name, 3 the state, 4 the parent, 14 and 15 ticks, 24 pages)
func readProcess(pid int) (process, error) {
	dir := fmt.Sprintf("/proc/%d/", pid)
	data, err := os.ReadFile(dir + "stat")
	if err != nil {
		return process{}, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return process{}, err
	}
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 0 || end < open {
		return process{}, fmt.Errorf("parse %sstat: no command name", dir)
	}
	rest := strings.Fields(string(data[end+1:])) // rest[0] is field 3
	if len(rest) < 22 {
		return process{}, fmt.Errorf("parse %sstat: %d fields", dir, len(rest))
	}
	field := func(n int) int { return max(0, number(rest[n-3])) }
	p := process{pid: pid, ppid: field(4), state: rest[0], comm: string(data[open+1 : end])}
	p.ticks, p.rss = field(14)+field(15), field(24)*os.Getpagesize()/1024
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		p.uid = s.Uid
	}
	cmdline, _ := os.ReadFile(dir + "cmdline")
	p.args = strings.ReplaceAll(strings.TrimRight(string(cmdline), "\x00"), "\x00", " ")
	if p.args == "" { // a kernel thread or a zombie has none
		p.args = "[" + p.comm + "]"
	}
	return p, nil
}

const killUsage = "[-l | -s SIGNAL | -SIGNAL] PID..."

// kill understands -9, -KILL, -SIGKILL, -s KILL and -l.
func kill(c *command) error {
	args, sig, name := c.args, syscall.SIGTERM, ""
	if len(args) == 1 && args[0] == "-l" {
		for n := unix.Signal(1); n < 32; n++ {
			fmt.Fprintf(c.out, "%2d) %s\n", int(n), unix.SignalName(n))
		}
		return nil
	}
	switch {
	case len(args) > 1 && args[0] == "-s":
		name, args = args[1], args[2:]
	case len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && args[0] != "--":
		name, args = args[0][1:], args[1:]
	}
	if name != "" && name != "0" {
		if sig = signalNumber(name); sig == 0 {
			return usagef("unknown signal %q", name)
		}
	}
	if name == "0" {
		sig = 0 // kill(2): only check
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
		return os.NewSyscallError("kill "+arg, syscall.Kill(pid, sig))
	})
}

// sleep adds up its operands, as sleep(1) of coreutils does.
func sleep(c *command) error {
	_, args, err := c.operands("", 1)
	if err != nil {
		return err
	}
	var total time.Duration
	for _, arg := range args {
		if arg == "inf" || arg == "infinity" {
			for {
				time.Sleep(time.Hour)
			}
		}
		d, err := duration(arg)
		if err != nil {
			return err
		}
		total += d
	}
	time.Sleep(total)
	return nil
}

// duration reads "1.5", "10s", "2m", "1h" or "1d".
func duration(s string) (time.Duration, error) {
	unit := time.Second
	if digits := strings.TrimRight(s, "smhd"); len(s)-len(digits) == 1 {
		unit = map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[s[len(s)-1]]
		s = digits
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n < 0 || n > 1e9 {
		return 0, usagef("%q is not a time", s)
	}
	return time.Duration(n * float64(unit)), nil
}

func id(c *command) error {
	o, err := c.noOperands("u g G n")
	if err != nil {
		return err
	}
	groups, err := os.Getgroups()
	if err != nil {
		return err
	}
	uid, gid := uint32(os.Geteuid()), uint32(os.Getegid())
	owner, group := fmt.Sprint(uid), fmt.Sprint(gid)
	if o.has("n") {
		owner, group = userName(uid), groupName(gid)
	}
	switch {
	case o.has("u"):
		fmt.Fprintln(c.out, owner)
	case o.has("g"):
		fmt.Fprintln(c.out, group)
	case o.has("G"):
		fmt.Fprintln(c.out, strings.Trim(fmt.Sprint(groups), "[]"))
	default:
		fmt.Fprintf(c.out, "uid=%s gid=%s", withName(uid, userName(uid)), withName(gid, groupName(gid)))
		for i, g := range groups {
			fmt.Fprint(c.out, map[bool]string{true: " groups=", false: ","}[i == 0], withName(uint32(g), groupName(uint32(g))))
		}
		fmt.Fprintln(c.out)
	}
	return nil
}

// withName is "0(root)", or the number alone if it has no name.
func withName(number uint32, name string) string {
	if name == fmt.Sprint(number) {
		return name
	}
	return fmt.Sprintf("%d(%s)", number, name)
}

func whoami(c *command) error {
	if _, err := c.noOperands(""); err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.out, userName(uint32(os.Geteuid())))
	return err
}

func userName(uid uint32) string {
	if u, err := user.LookupId(fmt.Sprint(uid)); err == nil {
		return u.Username
	}
	return fmt.Sprint(uid)
}

func groupName(gid uint32) string {
	if g, err := user.LookupGroupId(fmt.Sprint(gid)); err == nil {
		return g.Name
	}
	return fmt.Sprint(gid)
}

// env prints the environment or runs a command in a changed one. The command replaces this process; 127 says
// that it does not exist, 126 that it cannot be executed.
func env(c *command) error {
	o, rest, err := c.parse("i u:")
	if err != nil {
		return err
	}
	if o.has("i") {
		os.Clearenv()
	}
	if o.has("u") {
		if err := os.Unsetenv(o["u"]); err != nil {
			return err
		}
	}
	for len(rest) > 0 {
		name, value, ok := strings.Cut(rest[0], "=")
		if !ok {
			return replaceBy(c, rest)
		}
		if err := os.Setenv(name, value); err != nil {
			return err
		}
		rest = rest[1:]
	}
	for _, line := range os.Environ() {
		fmt.Fprintln(c.out, line)
	}
	return nil
}

// replaceBy executes a program in this process's place; it returns only if that cannot be.
func replaceBy(c *command, args []string) error {
	path, err := lookPath(args[0], os.Getenv("PATH"))
	if err == nil {
		err = &os.PathError{Op: "execute", Path: path, Err: unix.Exec(path, args, os.Environ())}
	}
	fmt.Fprintf(c.err, "%s: %v\n", c.name, err)
	if errors.Is(err, os.ErrNotExist) {
		return status(127)
	}
	return status(126)
}
