package truth

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// fact is one thing that the kernel was asked for, and did.
type fact struct {
	who    string // daemon, shim or child
	pid    int    // its process
	parent int    // whose child that is
	born   int    // the line on which it was cloned
	bears  int    // the process that it brings into the world, by clone or execve; 0 = none
	what   string // such as "bind /a on /b MS_BIND|MS_REC"
	raw    string // details, as strace writes them
	soft   bool   // it only looked: a plan may list that, and need not
	line   int    // in the trace
}

// witness goes through a trace and remembers what the meaning of a call depends on.
type witness struct {
	dir     string                    // of the daemon; its own files are below
	parents map[int]int               // of threads and processes
	born    map[int]int               // the lines on which they were cloned
	who     map[int]string            // of processes since their execve
	open    map[int]map[string]string // by process: the name by which a descriptor was opened
	netns   map[int]string            // by thread: the name of its network namespace; "" = the daemon's
	sockets map[string]*socket        // by strace's name, such as socket:[123]
	facts   []fact
}

// program is what a child is after its execve: its calls are nobody's business.
const program = "program"

var clonedForm = regexp.MustCompile(`^(\d+)(?: /\* (\d+) in strace's PID NS \*/)?$`)

// clone is the thread or process that a call has made, as strace numbers it; 0 = none.
func (c call) clone() int {
	m := clonedForm.FindStringSubmatch(c.ret)
	if m == nil || !slices.Contains([]string{"clone", "clone3", "fork", "vfork"}, c.name) {
		return 0
	}
	n, _ := strconv.Atoi(cmp.Or(m[2], m[1]))
	return n
}

// see finds the facts in calls.
func see(dir string, calls []call) []fact {
	w := &witness{
		dir: dir, parents: map[int]int{}, born: map[int]int{}, who: map[int]string{}, open: map[int]map[string]string{},
		netns: map[int]string{}, sockets: map[string]*socket{},
	}
	for _, c := range calls {
		if n := c.clone(); n != 0 {
			w.parents[n], w.born[n] = c.pid, c.line
		}
	}
	w.who[calls[0].pid] = "daemon"
	for _, c := range calls {
		w.look(c)
	}
	return w.facts
}

// actor is who a thread belongs to.
func (w *witness) actor(pid int) string {
	if who, ok := w.who[w.process(pid)]; ok {
		return who
	}
	return "unknown"
}

// process is the nearest ancestor of a thread that was the subject of an execve.
func (w *witness) process(pid int) int {
	for {
		if _, ok := w.who[pid]; ok {
			return pid
		}
		parent, ok := w.parents[pid]
		if !ok {
			return pid
		}
		pid = parent
	}
}

// add notes a fact.
func (w *witness) add(c call, what string) { w.facts = append(w.facts, w.fact(c, what)) }

// glimpse notes that somebody looked.
func (w *witness) glimpse(c call, what string) {
	f := w.fact(c, what)
	f.soft = true
	w.facts = append(w.facts, f)
}

func (w *witness) fact(c call, what string) fact {
	pid := w.process(c.pid)
	return fact{
		who: w.actor(c.pid), pid: pid, parent: w.process(w.parents[pid]), born: w.born[pid],
		what: what, raw: strings.Join(c.args, ", "), line: c.line,
	}
}

// absent are the errors that a step may meet and be content with.
var absent = []string{"ENOENT", "ENOTDIR"}

// look makes of a call what it means.
func (w *witness) look(c call) {
	if w.actor(c.pid) == program {
		return
	}
	if !c.ok() {
		w.failed(c)
		return
	}
	if say, ok := meanings[c.name]; ok {
		say(w, c)
		return
	}
	w.add(c, strings.TrimSpace(c.name+" "+strings.Join(c.args, " ")))
}

// failed notes that something was looked for in vain. What failed did not
// change the kernel.
func (w *witness) failed(c call) {
	reason, _, _ := strings.Cut(strings.TrimPrefix(c.ret, "-1 "), " ")
	switch {
	case strings.HasPrefix(c.name, "openat") && slices.Contains(absent, reason):
		w.glimpse(c, "absent "+w.at(c, 0))
	case c.name == "prctl" && c.arg(0) == "PR_CAPBSET_READ":
		w.glimpse(c, "prctl PR_CAPBSET_READ "+c.arg(1)+" = "+reason)
	}
}

// at is the path in the arguments i (a directory) and i+1 (a name in it).
func (w *witness) at(c call, i int) string {
	name := text(c.arg(i + 1))
	if name == "" || !strings.HasPrefix(name, "/") {
		_, dir := descriptor(c.arg(i))
		return path.Join(dir, name)
	}
	return w.name(c, name)
}

// name is a path; /proc/self/fd/N is what N was opened as.
func (w *witness) name(c call, name string) string {
	if n, ok := strings.CutPrefix(name, "/proc/self/fd/"); ok && w.descriptor(c, n) != "" {
		return w.descriptor(c, n)
	}
	if strings.HasPrefix(name, "/") && name != "/" {
		return path.Clean(name)
	}
	return name
}

// opened remembers a descriptor, by the path that the kernel knows or else,
// as for a file of /proc/PID/ns, the name that was asked for.
func (w *witness) opened(c call, name string) {
	number, p := descriptor(c.ret)
	if !strings.HasPrefix(p, "/") {
		p = name
	}
	process := w.process(c.pid)
	if w.open[process] == nil {
		w.open[process] = map[string]string{}
	}
	w.open[process][number] = p
}

// descriptor is what a descriptor of the process was opened as.
func (w *witness) descriptor(c call, number string) string { return w.open[w.process(c.pid)][number] }

var processForm = regexp.MustCompile(`^/proc/\d+(/task/\d+)?/`)

// file is the path of a descriptor that a call writes to; "" if it is no file
// or one of the daemon's own.
func (w *witness) file(arg string) string {
	_, p := descriptor(arg)
	if !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "/dev/") || strings.HasPrefix(p, "/memfd:") || w.own(p) {
		return ""
	}
	return processForm.ReplaceAllString(p, "/proc/self/")
}

// own tells whether a path is the daemon's own business: everything below its
// two directories that no container is shown.
func (w *witness) own(p string) bool {
	below, ok := strings.CutPrefix(p, w.dir+"/")
	if !ok {
		return false
	}
	part := strings.Split(below, "/")
	switch {
	case part[0] == "run" && len(part) > 3 && part[1] == "containers":
		return len(part) == 4 && part[3] == "rootfs" || !slices.Contains([]string{"hosts", "hostname", "resolv.conf", "rootfs"}, part[3])
	case part[0] == "data" && len(part) > 1:
		return part[1] != "volumes"
	case part[0] == "run" && len(part) > 1:
		return part[1] != "netns"
	}
	return false
}

// change notes what a call does to a file that is not the daemon's own.
func (w *witness) change(c call, what, p string) {
	if p != "" && !w.own(p) {
		w.add(c, what+" "+processForm.ReplaceAllString(p, "/proc/self/"))
	}
}
