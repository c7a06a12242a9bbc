package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
)

// cgroupDemo: the cgroup in which the namespace was made is its "/". That is
// one made for it, or the caller's own, if the caller may not make any.
var cgroupDemo = demo{
	kind: namespaces.Cgroup,
	setup: func(id string) (func() error, error) {
		dir := makeCgroup(id)
		return func() error { return removeCgroup(dir) }, nil
	},
	steps: func(id string) []namespaces.Step {
		return []namespaces.Step{
			enterCgroup{id},
			namespaces.Unshare{New: []namespaces.Kind{namespaces.Cgroup}},
		}
	},
	facts: func(w where) []fact {
		return []fact{
			{"cgroup of the child", cgroupOf(w.child, w.id)},
			{"cgroup of PID 1", cgroupOf(1, w.id)},
		}
	},
}

// cgroupOf is the process's path in the hierarchy where the new cgroup is, or
// else in the one where it is deepest.
func cgroupOf(pid int, id string) string {
	paths, err := namespaces.Cgroups(pid)
	var best string
	for _, p := range paths {
		if strings.HasSuffix(p, "/"+id) {
			return p
		}
		if len(p) > len(best) {
			best = p
		}
	}
	return or(best, err)
}

// enterCgroup is the step that moves the child into the new cgroup, if there is one.
type enterCgroup struct{ id string }

func (e enterCgroup) Do() error {
	for _, dir := range cgroupDirs() {
		err := os.WriteFile(filepath.Join(dir, e.id, "cgroup.procs"), []byte("0"), 0)
		if !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (e enterCgroup) String() string { return "echo 0 > /sys/fs/cgroup/…/" + e.id + "/cgroup.procs" }

// makeCgroup makes a cgroup below the caller's own, in the first hierarchy
// that allows it; "" if none does.
func makeCgroup(id string) string {
	for _, dir := range cgroupDirs() {
		if os.Mkdir(filepath.Join(dir, id), 0o755) == nil {
			return filepath.Join(dir, id)
		}
	}
	return ""
}

// removeCgroup waits for the kernel, which may take a moment to see that the
// last process has gone.
func removeCgroup(dir string) error {
	if dir == "" {
		return nil
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := os.Remove(dir)
		if !errors.Is(err, unix.EBUSY) || time.Now().After(end) {
			return err
		}
	}
}

// cgroupDirs are the directories of the caller's cgroups, except cpuset's,
// which takes no process before it is set up. A line of mountinfo:
//
//	35 31 0:32 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
func cgroupDirs() (dirs []string) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	paths, err2 := namespaces.Cgroups(0)
	if err != nil || err2 != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		left, right, _ := strings.Cut(strings.TrimSpace(line), " - ")
		place, fs := strings.Fields(left), strings.Fields(right)
		if len(place) < 5 || len(fs) < 3 || !strings.HasPrefix(fs[0], "cgroup") {
			continue
		}
		for controller, path := range paths {
			v2 := controller == "" && fs[0] == "cgroup2"
			v1 := controller != "" && strings.HasSuffix(fs[2], ","+controller) && controller != "cpuset"
			if v1 || v2 {
				dirs = append(dirs, filepath.Join(place[4], path))
			}
		}
	}
	return dirs
}
