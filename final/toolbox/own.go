package toolbox

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"mvdan.cc/sh/v3/interp"
)

// ownPrefix marks a command for run as one of ours. It holds a character that no command can be called by.
const ownPrefix = "\x00"

// isOwn names the commands that the interpreter lacks, or knows only for its goroutines. "trap … ERR" it has.
func isOwn(name string, args []string) bool {
	switch name {
	case "jobs", "kill", "ulimit", "umask", "wait":
		return true
	case "trap":
		return !slices.Contains(args, "ERR")
	}
	return false
}

// own runs one of them.
func (s *shell) own(hc interp.HandlerContext, name string, args []string) error {
	switch name {
	case "jobs":
		return s.listJobs(hc)
	case "kill":
		c := &command{name: name, args: s.jobIDs(args), out: hc.Stdout, err: hc.Stderr}
		return shellStatus(uint8((&applet{name, killUsage, kill}).perform(c)))
	case "trap":
		return s.trap(hc, args)
	case "ulimit":
		return s.complain(hc, name, ulimit(hc.Stdout, args))
	case "umask":
		return s.complain(hc, name, umask(hc.Stdout, args))
	case "wait":
		return s.wait(hc, args)
	}
	return shellStatus(127)
}

// complain turns an error into a message and status 1.
func (s *shell) complain(hc interp.HandlerContext, name string, err error) error {
	if err == nil {
		return nil
	}
	fmt.Fprintf(hc.Stderr, "%s: %s: %v\n", s.zero, name, err)
	return shellStatus(1)
}

func (s *shell) listJobs(hc interp.HandlerContext) error {
	s.jobs.mu.Lock()
	defer s.jobs.mu.Unlock()
	for i, j := range s.jobs.list {
		state := "Running"
		select {
		case <-j.done:
			state = fmt.Sprintf("Exit %d", j.status)
		default:
		}
		fmt.Fprintf(hc.Stdout, "[%d] %d %s\n", i+1, j.pid, state)
	}
	return nil
}

// jobIDs replaces "%1" by the process ID of the first job.
func (s *shell) jobIDs(args []string) []string {
	s.jobs.mu.Lock()
	defer s.jobs.mu.Unlock()
	ids := slices.Clone(args)
	for i, arg := range ids {
		if j := find1(s.jobs.list, arg); j != nil {
			ids[i] = strconv.Itoa(j.pid)
		}
	}
	return ids
}

// limits are the letters of ulimit(1p) and bash, with the size of their units in bytes, or 1.
var limits = [...]struct {
	letter   string
	resource int
	unit     uint64
	name     string
}{
	{"-c", unix.RLIMIT_CORE, 512, "core file size (512-byte blocks)"},
	{"-d", unix.RLIMIT_DATA, 1024, "data size (KiB)"},
	{"-f", unix.RLIMIT_FSIZE, 512, "file size (512-byte blocks)"},
	{"-l", unix.RLIMIT_MEMLOCK, 1024, "locked memory (KiB)"},
	{"-n", unix.RLIMIT_NOFILE, 1, "open files"},
	{"-s", unix.RLIMIT_STACK, 1024, "stack size (KiB)"},
	{"-t", unix.RLIMIT_CPU, 1, "processor time (s)"},
	{"-u", unix.RLIMIT_NPROC, 1, "processes"},
	{"-v", unix.RLIMIT_AS, 1024, "address space (KiB)"},
}

// ulimit shows (soft, or hard with -H) and sets (both) the limits of getrlimit(2).
func ulimit(w io.Writer, args []string) error {
	hard, letter := false, "-f"
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-H":
			hard = true
		case "-S":
		default:
			letter = args[0]
		}
		args = args[1:]
	}
	known := letter == "-a"
	for _, l := range limits {
		if l.letter != letter && letter != "-a" {
			continue
		}
		known = true
		now, err := limit(l.resource)
		if err != nil {
			return err
		}
		value := now.Cur
		if hard {
			value = now.Max
		}
		switch {
		case len(args) == 1 && letter != "-a":
			return setLimit(l.resource, l.unit, args[0])
		case letter == "-a":
			fmt.Fprintf(w, "%s: %-34s %s\n", l.letter, l.name, limitString(value, l.unit))
		default:
			fmt.Fprintln(w, limitString(value, l.unit))
		}
	}
	if !known {
		return usagef("unknown option %s", letter)
	}
	return nil
}

// limit is what a program gets that is started here. For open files that is not what getrlimit(2) says: Go's
// runtime has raised the soft limit for itself, and gives its children the one that it found. So a child is
// asked, which is stopped at its first instruction for that (ptrace(2)).
func limit(resource int) (unix.Rlimit, error) {
	var now unix.Rlimit
	err := unix.Getrlimit(resource, &now)
	if err != nil || resource != unix.RLIMIT_NOFILE {
		return now, os.NewSyscallError("getrlimit", err)
	}
	runtime.LockOSThread() // a tracer is a thread
	defer runtime.UnlockOSThread()
	child, err := os.StartProcess("/proc/self/exe", []string{"true"}, &os.ProcAttr{Sys: &syscall.SysProcAttr{Ptrace: true}})
	if err != nil {
		return now, nil //nolint:nilerr // where nothing can be traced, our own limit is the best answer
	}
	err = unix.Prlimit(child.Pid, resource, nil, &now)
	_ = child.Kill()
	_, _ = child.Wait()
	return now, os.NewSyscallError("prlimit", err)
}

func limitString(value, unit uint64) string {
	if value == unix.RLIM_INFINITY {
		return "unlimited"
	}
	return strconv.FormatUint(value/unit, 10)
}

func setLimit(resource int, unit uint64, s string) error {
	value := uint64(unix.RLIM_INFINITY)
	if s != "unlimited" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return usagef("%q is not a limit", s)
		}
		value = n * unit
	}
	return os.NewSyscallError("setrlimit", syscall.Setrlimit(resource, &syscall.Rlimit{Cur: value, Max: value}))
}

// umask shows or sets the permission bits that new files do not get, umask(2).
func umask(w io.Writer, args []string) error {
	if len(args) == 0 {
		old := unix.Umask(0)
		unix.Umask(old)
		_, err := fmt.Fprintf(w, "%04o\n", old)
		return err
	}
	mode, err := strconv.ParseUint(args[0], 8, 9)
	if err != nil {
		return usagef("%q is not a mode", args[0])
	}
	unix.Umask(int(mode))
	return nil
}
