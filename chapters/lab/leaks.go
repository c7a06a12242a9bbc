package lab

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// patience is how long leftovers may take to go away: a killed process takes a moment, and so does what it held.
var patience = time.Minute

// snapshot is what exists at one moment: a key that is not there twice, and a line for people.
type snapshot map[string]string

// watched runs the tests and turns a success into a failure when they left something behind.
func watched(w wrapped) int {
	openPoller()
	before := look(w.mode)
	code := w.m.Run()
	left := leaks(w.mode, before)
	if len(left) == 0 {
		return code
	}
	fmt.Printf("--- FAIL: the tests of this package left behind:\n    %s\n", strings.Join(left, "\n    "))
	return max(code, 1)
}

// openPoller makes the Go runtime open its epoll and eventfd descriptors, which it does with the first pipe.
func openPoller() {
	r, w, err := os.Pipe()
	must(err)
	must(r.SetDeadline(time.Time{}))
	must(r.Close())
	must(w.Close())
}

// leaks compares before with what is there, again and again until nothing is left or patience ends.
func leaks(mode Mode, before snapshot) []string {
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		after := look(mode)
		maps.DeleteFunc(after, func(key, _ string) bool { _, known := before[key]; return known })
		if len(after) == 0 || time.Now().After(end) {
			return slices.Sorted(maps.Values(after))
		}
	}
}

// look takes a snapshot. In Plain mode mounts, links and processes are the host's, where others are busy too: there
// it sees the process's own children and the mounts below the directory for temporary files.
func look(mode Mode) snapshot {
	s := snapshot{}
	addDescriptors(s)
	addCgroups(s)
	if mode == Plain {
		addMounts(s, os.TempDir()+"/")
		addProcesses(s, func(ppid int) bool { return ppid == os.Getpid() })
		return s
	}
	addMounts(s, "/")
	addLinks(s)
	addProcesses(s, func(int) bool { return true })
	return s
}

func addDescriptors(s snapshot) {
	entries, err := os.ReadDir("/proc/self/fd")
	must(err)
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil { // the descriptor of this very listing
			continue
		}
		s["fd "+e.Name()+target] = fmt.Sprintf("descriptor %s of the test process: %s", e.Name(), target)
	}
}

// addMounts adds the mounts whose mount point begins with prefix. A line of mountinfo, proc_pid_mountinfo(5):
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw
func addMounts(s snapshot, prefix string) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	must(err)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 4 && strings.HasPrefix(f[4], prefix) {
			s["mount "+f[0]+f[4]] = "mount " + strings.TrimSpace(line)
		}
	}
}

func addLinks(s snapshot) {
	links, err := net.Interfaces()
	must(err)
	for _, l := range links {
		s["link "+l.Name] = "network link " + l.Name
	}
}

// addProcesses adds the processes whose parent is wanted. A line of /proc/PID/stat, proc_pid_stat(5), has a name
// in the middle that may hold anything, spaces and parentheses included:
//
//	4242 (a name) S 17 …        process ID, name, state, ID of the parent
func addProcesses(s snapshot, wanted func(ppid int) bool) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	must(err)
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil { // gone
			continue
		}
		end := bytes.LastIndexByte(text, ')')
		f := strings.Fields(string(text[end+1:]))
		if ppid, err := strconv.Atoi(f[1]); err == nil && wanted(ppid) {
			pid := filepath.Base(filepath.Dir(file))
			s["process "+pid] = fmt.Sprintf("process %s, state %s", text[:end+1], f[0])
		}
	}
}
