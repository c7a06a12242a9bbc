package cgroups

import (
	"fmt"
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
}

// Do writes 0, which means "me", to every cgroup.procs, and verifies by
// /proc/self/cgroup. ENOSPC: a v1 cpuset has no processors or nodes yet.
func (j Join) Do() error {
	for _, p := range j.Paths {
		if err := writeFile(filepath.Join(p, "cgroup.procs"), "0"); err != nil {
			return fmt.Errorf("join cgroup: %w", err)
		}
	}
	own, err := readLines("/proc/self/cgroup", parseMembership)
	if err != nil {
		return err
	}
	inside := 0
	for _, m := range own {
		if strings.HasSuffix(m.path, "/"+j.Name) {
			inside++
		}
	}
	if inside < len(j.Paths) {
		return fmt.Errorf("join cgroup %q: /proc/self/cgroup shows it in %d of %d hierarchies", j.Name, inside, len(j.Paths))
	}
	return nil
}

func (j Join) String() string {
	lines := make([]string, len(j.Paths))
	for i, p := range j.Paths {
		lines[i] = "echo $$ > " + quote(filepath.Join(p, "cgroup.procs"))
	}
	return strings.Join(lines, "; ")
}
