package cgroups

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Version says which of the kernel's two interfaces a hierarchy speaks.
type Version int

// The two interfaces: cgroups(7), cgroup-v1/cgroups.rst and cgroup-v2.rst.
const (
	V1 Version = 1
	V2 Version = 2
)

// Hierarchy is one mounted tree of groups. With v2 there is one for all
// controllers; with v1 there are about ten, each with a few of them.
type Hierarchy struct {
	Version     Version
	Controllers []string // what it can limit: "memory", "cpu", …; "name=systemd" limits nothing
	Base        string   // the directory below which we make groups
	occupied    bool     // Base is a v2 group with processes of its own, and not the root
}

// System is how cgroups are set up on this machine.
type System struct {
	Hierarchies []Hierarchy
}

// Detect finds the mounted hierarchies by /proc/self/mountinfo, and the place
// below which this process may make groups. It changes nothing.
//
// Like runc and Docker, we make our groups directly below the top of what is
// mounted, not below the group that we are in: a container is not part of the
// daemon's own budget. Where the mount shows only a part of the tree (in a
// container, in a cgroup namespace) its top is that part. Where the top may
// not be written to (a user's systemd slice), the process's own group is used.
func Detect() (*System, error) { return detect("/") }

// detect is Detect for a file system tree at root.
func detect(root string) (*System, error) {
	mounts, err := readLines(filepath.Join(root, "proc/self/mountinfo"), parseMount)
	if err != nil {
		return nil, err
	}
	own, err := readLines(filepath.Join(root, "proc/self/cgroup"), parseMembership)
	if err != nil {
		return nil, err
	}
	s := &System{}
	for _, m := range chooseMounts(mounts) {
		if h, ok := newHierarchy(root, m, own); ok {
			s.Hierarchies = append(s.Hierarchies, h)
		}
	}
	if len(s.Hierarchies) == 0 {
		return nil, errors.New("find a cgroup hierarchy: none is mounted with write permission; " +
			"run as root, or under `systemd-run --user --scope -p Delegate=yes`, or mount one: mount -t cgroup2 none /sys/fs/cgroup")
	}
	return s, nil
}

// newHierarchy completes a mount to a hierarchy, or says that we may not use it.
func newHierarchy(root string, m mount, own []membership) (Hierarchy, bool) {
	h := Hierarchy{Version: m.version, Controllers: m.controllers, Base: m.point}
	if !writable(root + h.Base) {
		if h.Base = m.ownGroup(own); h.Base == "" || !writable(root+h.Base) {
			return h, false
		}
	}
	if h.Version == V2 {
		// What the group may use, which its parent decided.
		list, err := os.ReadFile(filepath.Join(root, h.Base, "cgroup.controllers"))
		if err != nil {
			return h, false
		}
		h.Controllers = strings.Fields(string(list))
		h.occupied = isOccupied(filepath.Join(root, h.Base))
	}
	return h, true
}

func writable(dir string) bool { return unix.Access(dir, unix.W_OK) == nil }

// isOccupied says that "no internal processes" (cgroup-v2.rst) stands in the
// way. The root, which has no cgroup.type, is exempt.
func isOccupied(dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, "cgroup.type")); err != nil {
		return false
	}
	procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	return err == nil && len(procs) > 0
}

// Mode is "v2", "v1", or "hybrid" (v1 for controllers, v2 beside it).
func (s *System) Mode() string {
	_, v2 := s.unified()
	switch {
	case !v2:
		return "v1"
	case len(s.Hierarchies) == 1:
		return "v2"
	default:
		return "hybrid"
	}
}

// Controllers lists what can be limited or observed here, sorted. The v2 core's
// own abilities "freezer" and "devices" count, for v1 has controllers for them.
func (s *System) Controllers() []string {
	var all []string
	for _, h := range s.Hierarchies {
		for _, c := range h.Controllers {
			if !strings.HasPrefix(c, "name=") {
				all = append(all, v2Name(c))
			}
		}
		if h.Version == V2 {
			all = append(all, "devices", "freezer")
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// v2Name translates a v1 controller's name where v2 has another.
func v2Name(controller string) string {
	switch controller {
	case "blkio":
		return "io"
	case "cpuacct":
		return "cpu"
	}
	return controller
}

// hierarchy finds the one that has a controller, named as in v2.
func (s *System) hierarchy(controller string) (Hierarchy, bool) {
	has := func(c string) bool { return c != "cpuacct" && v2Name(c) == controller }
	i := slices.IndexFunc(s.Hierarchies, func(h Hierarchy) bool { return slices.ContainsFunc(h.Controllers, has) })
	if i < 0 {
		if h, ok := s.unified(); ok && controller == "devices" {
			return h, true
		}
		return Hierarchy{}, false
	}
	return s.Hierarchies[i], true
}

func (s *System) unified() (Hierarchy, bool) {
	i := slices.IndexFunc(s.Hierarchies, func(h Hierarchy) bool { return h.Version == V2 })
	if i < 0 {
		return Hierarchy{}, false
	}
	return s.Hierarchies[i], true
}

// paths is where a group called name is in each hierarchy.
func (s *System) paths(name string) []string {
	var all []string
	for _, h := range s.Hierarchies {
		all = append(all, filepath.Join(h.Base, name))
	}
	return all
}

// readLines parses a file line by line; parse says which lines count.
func readLines[T any](path string, parse func(line string) (T, bool)) ([]T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return scanLines(f, parse)
}

func scanLines[T any](r io.Reader, parse func(line string) (T, bool)) ([]T, error) {
	var all []T
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		if v, ok := parse(sc.Text()); ok {
			all = append(all, v)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read lines: %w", err)
	}
	return all, nil
}
