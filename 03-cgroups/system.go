package cgroups

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Version is which of the kernel's two interfaces a hierarchy speaks:
// cgroup-v2.rst or cgroup-v1/cgroups.rst.
type Version int

// The two interfaces.
const (
	V1 Version = 1
	V2 Version = 2
)

// Hierarchy is one mounted tree of groups. With v2 there is one for all
// controllers; with v1 there are about ten, each with one or two of them.
type Hierarchy struct {
	Version     Version
	Controllers []string // what it can limit: "memory", "cpu"; "name=systemd" limits nothing
	Base        string   // the directory below which we make groups
	Occupied    bool     // Base is a v2 group that has processes of its own, and not the root
}

// System is how cgroups are set up on this machine.
type System struct {
	Hierarchies []Hierarchy
}

// Detect finds the hierarchies by /proc/self/cgroup and /proc/self/mountinfo,
// and the place in each below which this process may make groups. It changes
// nothing.
//
// Like runc and Docker we make groups directly below the top of what is
// mounted, not below the group that we are in: containers are not part of the
// daemon's own budget. Where the mount shows only a part of the tree (in a
// container, in a cgroup namespace) its top is the top of that part. Where the
// top may not be written to (without root, in a delegated slice of systemd's),
// it is the group that we are in.
func Detect() (*System, error) { return detect("/") }

// detect is Detect for the file system below root.
func detect(root string) (*System, error) {
	own, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return nil, err
	}
	mounts, err := os.ReadFile(filepath.Join(root, "proc/self/mountinfo"))
	if err != nil {
		return nil, err
	}
	s := &System{}
	for line := range strings.Lines(string(own)) {
		if o, ok := parseMembership(strings.TrimSpace(line)); ok {
			s.add(root, o, findMount(o, parseMounts(string(mounts))))
		}
	}
	if len(s.Hierarchies) == 0 {
		return nil, errors.New("find a cgroup hierarchy: none is mounted where this process may write; run as root, " +
			"or in a group of your own (systemd-run --user --scope -p Delegate=yes), or mount one (mount -t cgroup2 none /sys/fs/cgroup)")
	}
	return s, nil
}

// add adds a hierarchy, if it is mounted and we may make groups in it.
func (s *System) add(root string, o membership, m mount) {
	for _, base := range []string{m.point, o.directory(m)} {
		if base == "" || unix.Access(filepath.Join(root, base), unix.W_OK) != nil {
			continue
		}
		h := Hierarchy{Version: o.version, Controllers: o.controllers, Base: base}
		if h.Version == V2 {
			h.Controllers, h.Occupied = readUnified(filepath.Join(root, base))
		}
		s.Hierarchies = append(s.Hierarchies, h)
		return
	}
}

// readUnified reads what a v2 group may pass on to its children, and whether
// processes of its own keep it from that. The root, which has no cgroup.type, is
// exempt from "no internal processes".
func readUnified(dir string) (controllers []string, occupied bool) {
	list, _ := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	procs, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	return strings.Fields(string(list)), len(procs) > 0 && exists(filepath.Join(dir, "cgroup.type"))
}

// Mode is "v2", "v1", or "hybrid": controllers on v1, and v2 beside them.
func (s *System) Mode() string {
	unified := slices.ContainsFunc(s.Hierarchies, func(h Hierarchy) bool { return h.Version == V2 })
	switch {
	case !unified:
		return "v1"
	case len(s.Hierarchies) == 1:
		return "v2"
	}
	return "hybrid"
}

// Controllers lists what can be limited here, by v2's names, sorted. What v2 has
// in its core, and v1 has controllers for, counts: "devices" and "freezer".
func (s *System) Controllers() []string {
	var all []string
	for _, c := range []string{"cpu", "cpuset", "devices", "freezer", "hugetlb", "io", "memory", "pids"} {
		if _, ok := s.hierarchy(c); ok {
			all = append(all, c)
		}
	}
	return all
}

// hierarchy finds the one that has a controller, by v2's name.
func (s *System) hierarchy(controller string) (Hierarchy, bool) {
	i := slices.IndexFunc(s.Hierarchies, func(h Hierarchy) bool {
		return slices.Contains(h.Controllers, controller) ||
			h.Version == V1 && controller == "io" && slices.Contains(h.Controllers, "blkio") ||
			h.Version == V2 && (controller == "devices" || controller == "freezer")
	})
	if i < 0 {
		return Hierarchy{}, false
	}
	return s.Hierarchies[i], true
}

// Create is the step that makes the group called name in every hierarchy.
func (s *System) Create(name string) Create { return Create{Name: name, Paths: s.paths(name)} }

// Join is the step by which a process enters the group.
func (s *System) Join(name string) Join { return Join{Name: name, Paths: s.paths(name)} }

func (s *System) paths(name string) []string {
	var all []string
	for _, h := range s.Hierarchies {
		all = append(all, filepath.Join(h.Base, name))
	}
	return all
}
