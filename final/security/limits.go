package security

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// callSetgroups is setgroups(2) for the calling thread only.
func callSetgroups(list []uint32) error {
	p := unsafe.Pointer(unsafe.SliceData(list))
	if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(list)), uintptr(p), 0); e != 0 {
		return os.NewSyscallError("setgroups", e)
	}
	return nil
}

// rlimits maps the names of an OCI config.json to the kernel's numbers, and to
// prlimit(1)'s options.
var rlimits = map[string]struct {
	number int
	option string
}{
	"RLIMIT_AS": {unix.RLIMIT_AS, "as"}, "RLIMIT_CORE": {unix.RLIMIT_CORE, "core"},
	"RLIMIT_CPU": {unix.RLIMIT_CPU, "cpu"}, "RLIMIT_DATA": {unix.RLIMIT_DATA, "data"},
	"RLIMIT_FSIZE": {unix.RLIMIT_FSIZE, "fsize"}, "RLIMIT_LOCKS": {unix.RLIMIT_LOCKS, "locks"},
	"RLIMIT_MEMLOCK": {unix.RLIMIT_MEMLOCK, "memlock"}, "RLIMIT_MSGQUEUE": {unix.RLIMIT_MSGQUEUE, "msgqueue"},
	"RLIMIT_NICE": {unix.RLIMIT_NICE, "nice"}, "RLIMIT_NOFILE": {unix.RLIMIT_NOFILE, "nofile"},
	"RLIMIT_NPROC": {unix.RLIMIT_NPROC, "nproc"}, "RLIMIT_RSS": {unix.RLIMIT_RSS, "rss"},
	"RLIMIT_RTPRIO": {unix.RLIMIT_RTPRIO, "rtprio"}, "RLIMIT_RTTIME": {unix.RLIMIT_RTTIME, "rttime"},
	"RLIMIT_SIGPENDING": {unix.RLIMIT_SIGPENDING, "sigpending"}, "RLIMIT_STACK": {unix.RLIMIT_STACK, "stack"},
}

// KnownRlimit tells whether a name such as RLIMIT_NOFILE exists.
func KnownRlimit(name string) bool { return rlimits[name].option != "" }

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
	kind, ok := rlimits[r.Type]
	if !ok {
		return fmt.Errorf("unknown resource limit %q", r.Type)
	}
	want, now := unix.Rlimit{Cur: r.Soft, Max: r.Hard}, unix.Rlimit{}
	if err := unix.Setrlimit(kind.number, &want); err != nil {
		return fmt.Errorf("set %s to %s:%s: %w", r.Type, limit(r.Soft), limit(r.Hard), os.NewSyscallError("prlimit", err))
	}
	if err := unix.Getrlimit(kind.number, &now); err != nil || now != want {
		return fmt.Errorf("%s is %d:%d after being set to %d:%d: %w", r.Type, now.Cur, now.Max, want.Cur, want.Max, err)
	}
	return nil
}

// String is prlimit(1) on the shell.
func (r Rlimit) String() string {
	return fmt.Sprintf("prlimit --pid $$ --%s=%s:%s", rlimits[r.Type].option, limit(r.Soft), limit(r.Hard))
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
