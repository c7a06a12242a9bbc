package cgroups

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Join puts the calling process, with all its threads, into the group: from then
// on its limits count, for it and for every child it will have. The container's
// process does it itself, before its program starts, so that nothing ever runs
// outside.
//
// It must come before a new cgroup namespace: that takes the group one is in as
// its root, and hides the way to any other.
//
// Man page: cgroups(7)
type Join struct {
	Name  string   // the last part of each path, below the base
	Paths []string // one directory in each hierarchy
	// Thread moves only the calling thread, where v1 can: enough for one that is
	// about to call execve(2), which ends all others. A whole process waits until
	// no CPU is in the middle of a fork, 5 to 20 ms; a thread that moves itself
	// does not (cgroup_procs_write_start in the kernel, since Linux 5.16).
	Thread bool `json:",omitempty"`
}

// Do writes 0, which means "me", to every cgroup.procs, and verifies by
// /proc/thread-self/cgroup. ENOSPC: a v1 cpuset has no processors or nodes yet.
func (j Join) Do() error {
	for _, p := range j.Paths {
		if err := writeFile(j.file(p), "0"); err != nil {
			return fmt.Errorf("join cgroup: %w", err)
		}
	}
	own, err := os.ReadFile("/proc/thread-self/cgroup")
	if err != nil {
		return err
	}
	if n := strings.Count(string(own), "/"+j.Name+"\n"); n < len(j.Paths) {
		return fmt.Errorf("join cgroup %q: /proc/thread-self/cgroup shows it in %d of %d hierarchies", j.Name, n, len(j.Paths))
	}
	return nil
}

// file is the one to write to: v1 has one for threads, too.
func (j Join) file(dir string) string {
	if tasks := filepath.Join(dir, "tasks"); j.Thread && exists(tasks) {
		return tasks
	}
	return filepath.Join(dir, "cgroup.procs")
}

func (j Join) String() string {
	lines := make([]string, len(j.Paths))
	for i, p := range j.Paths {
		lines[i] = "echo $$ > " + quote(j.file(p))
	}
	return strings.Join(lines, "; ")
}
