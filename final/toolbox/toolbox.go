package toolbox

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// command is one call of an applet.
type command struct {
	*applet
	options
	args []string // the operands
	in   *os.File
	out  io.Writer
	err  io.Writer
}

// applet is one name of the multi-call binary.
type applet struct {
	name        string
	usage       string // what follows the name
	spec        string // the options, see parse
	least, most int    // operands
	run         func(*command) error
}

const (
	unparsed = "*"         // the spec of an applet that looks at its arguments itself
	many     = math.MaxInt // operands
)

// applets is the table of all. It is made when it is asked for: every start of a container is a start of this binary,
// and does not need it.
func applets() []applet {
	return []applet{
		{"[", "EXPRESSION ]", unparsed, 0, many, builtin},
		{"cat", "[FILE]...", "", 0, many, cat},
		{"chmod", "[-R] MODE FILE...", "R", 2, many, chmod},
		{"chown", "[-R] USER[:GROUP] FILE...", "R", 2, many, chown},
		{"cp", "[-ra] SOURCE... TARGET", "r R a", 2, many, cp},
		{"date", "", "", 0, 0, date},
		{"df", "[-h] [FILE]...", "h", 0, many, df},
		{"echo", "[-ne] [WORD]...", unparsed, 0, many, builtin},
		{"env", "[NAME=VALUE]... [COMMAND [ARG]...]", "", 0, many, env},
		{"false", "", unparsed, 0, many, func(*command) error { return status(1) }},
		{"grep", "[-cinqvE] PATTERN [FILE]...", "c i n q v E", 1, many, grep},
		{"head", "[-n LINES | -c BYTES] [FILE]...", "n: c:", 0, many, head},
		{"hostname", "[NAME]", "", 0, 1, hostname},
		{"httpd", "[-f] [-p [ADDRESS:]PORT] [-h DIRECTORY]", "f p: h:", 0, 0, httpd},
		{"id", "[-u | -g] [-n]", "u g n", 0, 0, id},
		{"ip", "[-br] {addr | link | route} [show] [[dev] NAME]", "b r", 1, many, ip},
		{"kill", "[-s SIGNAL | -SIGNAL] PID...", unparsed, 0, many, kill},
		{"ln", "[-sf] TARGET NAME", "s f", 2, 2, ln},
		{"ls", "[-1adhiln] [FILE]...", "1 a d h i l n", 0, many, ls},
		{"mkdir", "[-p] [-m MODE] DIRECTORY...", "p m:", 1, many, mkdir},
		{"mount", "[-t TYPE] [-o OPTION,...] [SOURCE TARGET]", "t: o:", 0, 2, mount},
		{"mv", "[-f] SOURCE... TARGET", "f", 2, many, mv},
		{"ping", "[-q] [-c COUNT] [-i SECONDS] [-W SECONDS] HOST", "q c: i: W:", 1, 1, ping},
		{"printf", "FORMAT [WORD]...", unparsed, 0, many, builtin},
		{"ps", "[-ef] [-o pid,ppid,user,stat,rss,comm,args]", "A a e f u w x o:", 0, 1, ps},
		{"pwd", "", unparsed, 0, many, builtin},
		{"readlink", "[-f] FILE...", "f", 1, many, readlink},
		{"rm", "[-rf] FILE...", "r f R", 0, many, rm},
		{"rmdir", "DIRECTORY...", "", 1, many, rmdir},
		{"sh", "[-eux] [-c COMMAND [NAME [ARG]...] | -s | FILE [ARG]...]", "c e i l s u x", 0, many, sh},
		{"sleep", "SECONDS[smhd] | infinity", "", 1, 1, sleep},
		{"stress", "[--cpu N] [--vm N] [--vm-bytes SIZE] [--timeout SECONDS]", "cpu: vm: vm-bytes: timeout:", 0, 0, stress},
		{"stty", "size", "", 1, 1, stty},
		{"tail", "[-f] [-n LINES] [FILE]", "f n:", 0, 1, tail},
		{"test", "EXPRESSION", unparsed, 0, many, builtin},
		{"touch", "FILE...", "", 1, many, touch},
		{"true", "", unparsed, 0, many, func(*command) error { return nil }},
		{"tty", "", "", 0, 0, tty},
		{"umask", "[MODE]", "", 0, 1, umask},
		{"umount", "[-l] TARGET...", "l", 1, many, umount},
		{"uname", "[-asnrvm]", "a s n r v m", 0, 0, uname},
		{"wc", "[-lwc] [FILE]...", "l w c", 0, many, wc},
		{"wget", "[-q] [-O FILE] URL", "q O:", 1, 1, wget},
		{"whoami", "", "", 0, 0, whoami},
	}
}

// Applets returns the names of all applets, sorted.
func Applets() []string {
	var names []string
	for _, a := range applets() {
		names = append(names, a.name)
	}
	return names
}

// Has reports whether argv0, the name or path that a process was called by, belongs to the toolbox. "-sh" is
// a login shell's name, see login(1).
func Has(argv0 string) bool {
	name := baseName(argv0)
	return name == "toolbox" || find(name) != nil
}

// Run performs the applet that args[0] names and returns its exit status: 127 if there is no such applet,
// 2 for a usage error. "toolbox NAME ARG…" does the same as "NAME ARG…"; "toolbox" alone lists the names.
// Run resets the process's signal dispositions, see defaultSignals.
func Run(args []string) int {
	name := baseName(args[0])
	if name == "toolbox" && len(args) > 1 {
		return Run(args[1:])
	}
	if name == "toolbox" {
		fmt.Println(strings.Join(Applets(), "\n"))
		return 0
	}
	a := find(name)
	if a == nil {
		fmt.Fprintf(os.Stderr, "toolbox: %s: applet not found\n", name)
		return 127
	}
	defaultSignals()
	return perform(&command{applet: a, args: args[1:], in: os.Stdin, out: os.Stdout, err: os.Stderr})
}

// perform runs the applet and turns its error into a message and an exit status.
func perform(c *command) int {
	err := c.parse()
	if err == nil {
		err = c.run(c)
	}
	var code status
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(c.err, "%s: %s\nusage: %s\n", c.name, usage, strings.TrimSpace(c.name+" "+c.usage))
		return 2
	case errors.As(err, &code):
		return int(code)
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(c.err, "%s: %s\n", c.name, line)
	}
	return 1
}

// status is an exit status about which everything has been said.
type status int

// Error is only there to make status an error.
func (s status) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// usageError says what is wrong with the arguments; the usage line follows it, and the status is 2.
type usageError string

// Error returns the complaint.
func (u usageError) Error() string { return string(u) }

// usagef makes a usageError.
func usagef(format string, args ...any) error {
	return usageError(fmt.Sprintf(format, args...))
}

// find returns the applet of that name, or nil.
func find(name string) *applet {
	all := applets()
	i := slices.IndexFunc(all, func(a applet) bool { return a.name == name })
	if i < 0 {
		return nil
	}
	return &all[i]
}

func baseName(argv0 string) string {
	return strings.TrimPrefix(filepath.Base(argv0), "-")
}

// each calls fn for every name and collects the errors: one bad operand does not spare the others.
func each(names []string, fn func(string) error) error {
	var errs []error
	for _, name := range names {
		errs = append(errs, fn(name))
	}
	return errors.Join(errs...)
}

// pathError is os.NewSyscallError with a path.
func pathError(call, path string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: call, Path: path, Err: err}
}
