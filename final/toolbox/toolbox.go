package toolbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// command is one call of an applet.
type command struct {
	name string   // the applet's
	args []string // without the name
	in   *os.File
	out  io.Writer
	err  io.Writer
}

// applet is one name of the multi-call binary.
type applet struct {
	name  string
	usage string // what follows the name
	run   func(*command) error
}

// applets is a table of constants, which costs nothing when a container starts: every start of a container
// is a start of this binary.
var applets = [...]applet{
	{"[", "EXPRESSION ]", builtin},
	{"cat", "[FILE]...", cat},
	{"chmod", "[-R] MODE FILE...", chmod},
	{"chown", "[-R] USER[:GROUP] FILE...", chown},
	{"cp", "[-r] SOURCE... TARGET", cp},
	{"date", "[-u] [+FORMAT]", date},
	{"df", "[-h] [FILE]...", df},
	{"echo", "[-n] [WORD]...", echo},
	{"env", "[-i] [-u NAME] [NAME=VALUE]... [COMMAND [ARG]...]", env},
	{"false", "", func(*command) error { return status(1) }},
	{"grep", "[-chilnqrvEF] PATTERN [FILE]...", grep},
	{"head", "[-n LINES | -c BYTES] [FILE]...", head},
	{"hostname", "[NAME]", hostname},
	{"httpd", "[-f] [-p [ADDRESS:]PORT] [-h DIRECTORY]", httpd},
	{"id", "[-u | -g | -G] [-n]", id},
	{"ip", "[-4 | -6] [-br] {addr | link | route | neigh} [show] [dev NAME]", ip},
	{"kill", killUsage, kill},
	{"ln", "[-sf] TARGET NAME", ln},
	{"ls", "[-1adhilnR] [FILE]...", ls},
	{"mkdir", "[-p] [-m MODE] DIRECTORY...", mkdir},
	{"mount", "[-t TYPE] [-o OPTION,...] [SOURCE TARGET]", mount},
	{"mv", "SOURCE... TARGET", mv},
	{"nc", "[-w SECONDS] HOST PORT | -l [-p] PORT", nc},
	{"nproc", "", nproc},
	{"ping", "[-q] [-c COUNT] [-i SECONDS] [-W SECONDS] HOST", ping},
	{"printf", "FORMAT [WORD]...", builtin},
	{"ps", "[-A] [-o pid,ppid,user,stat,rss,comm,args]", ps},
	{"pwd", "", pwd},
	{"readlink", "[-f] FILE...", readlink},
	{"rm", "[-rf] FILE...", rm},
	{"rmdir", "DIRECTORY...", rmdir},
	{"seq", "[FIRST [STEP]] LAST", seq},
	{"sh", "[-eux] [-c COMMAND [NAME [ARG]...] | -s | FILE [ARG]...]", sh},
	{"sleep", "SECONDS[smhd]... | infinity", sleep},
	{"stress", "[--cpu N] [--vm N] [--vm-bytes SIZE] [--timeout SECONDS]", stress},
	{"stty", "size", stty},
	{"sync", "", func(*command) error { unix.Sync(); return nil }},
	{"tail", "[-f] [-n LINES] [FILE]", tail},
	{"test", "EXPRESSION", builtin},
	{"touch", "[-c] FILE...", touch},
	{"tr", "[-d] SET1 [SET2]", tr},
	{"true", "", func(*command) error { return nil }},
	{"tty", "", tty},
	{"umount", "[-l] TARGET...", umount},
	{"uname", "[-asnrvm]", uname},
	{"wc", "[-lwc] [FILE]...", wc},
	{"wget", "[-q] [-O FILE] [-T SECONDS] URL", wget},
	{"whoami", "", whoami},
	{"yes", "[WORD]...", yes},
}

// Applets returns the names of all applets, sorted.
func Applets() []string {
	names := make([]string, len(applets))
	for i, a := range applets {
		names[i] = a.name
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
	return a.perform(&command{name: name, args: args[1:], in: os.Stdin, out: os.Stdout, err: os.Stderr})
}

// perform runs the applet and turns its error into a message and an exit status.
func (a *applet) perform(c *command) int {
	err := a.run(c)
	var code status
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(c.err, "%s: %s\nusage: %s\n", a.name, usage, strings.TrimSpace(a.name+" "+a.usage))
		return 2
	case errors.As(err, &code):
		return int(code)
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(c.err, "%s: %s\n", a.name, line)
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
	i, ok := slices.BinarySearchFunc(applets[:], name, func(a applet, name string) int {
		return strings.Compare(a.name, name)
	})
	if !ok {
		return nil
	}
	return &applets[i]
}

func baseName(argv0 string) string {
	return strings.TrimPrefix(filepath.Base(argv0), "-")
}
