package security

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// rlimits lists the resource limits by number (asm-generic/resource.h). An OCI
// config.json has their names behind RLIMIT_, prlimit(1) in small letters.
var rlimits = [...]string{
	"CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE",
	"MEMLOCK", "AS", "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
}

// rlimit is the number of a limit such as RLIMIT_NOFILE, -1 if there is none.
func rlimit(name string) int {
	short, ok := strings.CutPrefix(name, "RLIMIT_")
	if !ok {
		return -1
	}
	return slices.Index(rlimits[:], short)
}

// KnownRlimit tells whether a name such as RLIMIT_NOFILE exists.
func KnownRlimit(name string) bool { return rlimit(name) >= 0 }

// Rlimit bounds a resource of each process, such as its open files: the limit
// of single processes, where a cgroup is one of a whole container.
//
// Raising a hard limit needs CAP_SYS_RESOURCE. Errors are those of prlimit(2).
//
// Man page: getrlimit(2)
type Rlimit struct {
	Type       string // such as RLIMIT_NOFILE
	Soft, Hard uint64 // in the unit of the type; 2⁶⁴-1 = unlimited
}

// Do sets the limit and reads it back.
//
// prlimit(2) and not syscall.Setrlimit: Go raises its own soft limit of open
// files and puts the old one back at execve, unless it knows of the change.
func (r Rlimit) Do() error {
	number := rlimit(r.Type)
	if number < 0 {
		return fmt.Errorf("unknown resource limit %q", r.Type)
	}
	want, now := unix.Rlimit{Cur: r.Soft, Max: r.Hard}, unix.Rlimit{}
	if err := unix.Setrlimit(number, &want); err != nil {
		return fmt.Errorf("set %s to %s:%s: %w", r.Type, limit(r.Soft), limit(r.Hard), os.NewSyscallError("prlimit", err))
	}
	if err := unix.Getrlimit(number, &now); err != nil || now != want {
		return fmt.Errorf("%s is %d:%d after being set to %d:%d: %w", r.Type, now.Cur, now.Max, want.Cur, want.Max, err)
	}
	return nil
}

// String is prlimit(1) on the shell.
func (r Rlimit) String() string {
	option := strings.ToLower(strings.TrimPrefix(r.Type, "RLIMIT_"))
	return fmt.Sprintf("prlimit --pid $$ --%s=%s:%s", option, limit(r.Soft), limit(r.Hard))
}

func limit(n uint64) string {
	if n == unix.RLIM_INFINITY {
		return "unlimited"
	}
	return strconv.FormatUint(n, 10)
}

// OOMScore makes a container a better or worse victim when the whole machine
// runs out of memory.
//
// Adjust is added to the share of memory in use, in thousandths: -1000 (never)
// to 1000. Lowering it needs CAP_SYS_RESOURCE.
//
// Man page: proc_pid_oom_score_adj(5)
type OOMScore struct{ Adjust int }

const oomScoreFile = "/proc/self/oom_score_adj"

// Do writes the value and reads it back.
func (o OOMScore) Do() error {
	want := strconv.Itoa(o.Adjust)
	if err := os.WriteFile(oomScoreFile, []byte(want), 0); err != nil {
		return err
	}
	got, err := os.ReadFile(oomScoreFile)
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(got)) != want {
		return fmt.Errorf("%s is %q after writing %q", oomScoreFile, got, want)
	}
	return nil
}

// String is the shell's echo.
func (o OOMScore) String() string { return fmt.Sprintf("echo %d > %s", o.Adjust, oomScoreFile) }
