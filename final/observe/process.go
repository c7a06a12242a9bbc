package observe

import (
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	ns "cutaway/02-namespaces"

	"golang.org/x/sys/unix"
)

// place is where in /proc to look.
type place struct {
	engine string // /proc/PID
	child  string // /proc/PID/task/TID; the engine's as long as there is no child
}

func (s Subject) place() place {
	w := place{engine: fmt.Sprintf("/proc/%d", s.Engine)}
	w.child = w.engine
	if s.Child != 0 {
		w.child = Thread(s.Child)
	}
	return w
}

// kinds are the links in /proc/PID/ns that steps change.
var kinds = []string{"uts", "ipc", "pid", "net", "mnt", "cgroup", "user", "time"}

// Thread is the directory in /proc of the thread that performs a process's
// steps: the one whose namespaces differ most from those of its parent.
func Thread(pid int) string {
	leader := fmt.Sprintf("/proc/%d/task/%d", pid, pid)
	parent := fmt.Sprintf("/proc/%s", field(leader+"/status", "PPid"))
	best, most := leader, differences(leader, parent)
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid)) // the pattern is not malformed
	for _, task := range tasks {
		if n := differences(task, parent); n > most {
			best, most = task, n
		}
	}
	return best
}

func differences(a, b string) int {
	n := 0
	for _, kind := range kinds {
		if link(a+"/ns/"+kind) != link(b+"/ns/"+kind) {
			n++
		}
	}
	return n
}

// link is where a symbolic link leads; "" if it cannot be read.
func link(name string) string {
	target, _ := os.Readlink(name)
	return target
}

// shares tells whether the container has the host's namespace of that kind.
func (w place) shares(kind string) bool {
	return link(w.child+"/ns/"+kind) == link(w.engine+"/ns/"+kind)
}

// engineRoot is a path as the engine sees it.
func (w place) engineRoot(name string) string { return w.engine + "/root" + name }

// namespaces says of each kind whose it is: "uts  its own, 4026532201".
func (w place) namespaces() []string {
	var lines []string
	for _, kind := range kinds {
		own := link(w.child + "/ns/" + kind)
		switch {
		case own == "":
		case w.shares(kind):
			lines = append(lines, fmt.Sprintf("%-7s the host's", kind))
		default:
			lines = append(lines, fmt.Sprintf("%-7s its own, %s", kind, strings.Trim(strings.TrimPrefix(own, kind+":"), "[]")))
		}
	}
	return lines
}

// process is what steps change of the process itself.
func (w place) process() []string {
	if w.child == w.engine {
		return nil
	}
	status := w.child + "/status"
	lines := []string{
		"user    " + first(field(status, "Uid")),
		"group   " + first(field(status, "Gid")),
		"groups  " + field(status, "Groups"),
		"umask   " + field(status, "Umask"),
		"root    " + link(w.child+"/root"),
		"cwd     " + link(w.child+"/cwd"),
	}
	for _, set := range []string{"CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb"} {
		lines = append(lines, set+"  "+capabilities(field(status, set)))
	}
	return append(lines,
		"NoNewPrivs  "+field(status, "NoNewPrivs"), "Seccomp  "+field(status, "Seccomp"),
		"oom_score_adj  "+text(w.child+"/oom_score_adj"))
}

// capabilities counts the bits of a set: "00000000a80425fb  14".
func capabilities(set string) string {
	n, _ := strconv.ParseUint(set, 16, 64) // the kernel's own digits
	return fmt.Sprintf("%s  %d", set, bits.OnesCount64(n))
}

// membership is the process's /proc/PID/cgroup without the numbers:
//
//	4:memory:/cutaway/ID
func (w place) membership() []string {
	if w.child == w.engine {
		return nil
	}
	var lines []string
	for line := range strings.Lines(text(w.child + "/cgroup")) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		name, path, _ := strings.Cut(rest, ":")
		if name == "" {
			name = "(v2)"
		}
		lines = append(lines, fmt.Sprintf("%-16s %s", name, path))
	}
	return lines
}

// hostname asks uname(2) in a UTS namespace.
func hostname(file string) []string {
	var u unix.Utsname
	err := ns.OnThread(func() error {
		if err := (ns.Join{Kind: ns.UTS, Path: file}).Do(); err != nil {
			return err
		}
		return unix.Uname(&u)
	})
	if err != nil {
		return nil
	}
	return []string{unix.ByteSliceToString(u.Nodename[:])}
}

// field is the value behind "Name:" in a file like /proc/PID/status.
func field(file, name string) string {
	for line := range strings.Lines(text(file)) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.Join(strings.Fields(v), " ")
		}
	}
	return ""
}

func first(words string) string {
	word, _, _ := strings.Cut(words, " ")
	return word
}

// text is what is in a file; "" if it cannot be read.
func text(file string) string {
	data, _ := os.ReadFile(file)
	return strings.TrimSpace(string(data))
}
