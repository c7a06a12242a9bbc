package cgroups

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Version is which of the kernel's two interfaces a hierarchy speaks:
// cgroup-v1/cgroups.rst or cgroup-v2.rst.
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
	own, err := readLines(filepath.Join(root, "proc/self/cgroup"), parseMembership)
	if err != nil {
		return nil, err
	}
	mounts, err := readLines(filepath.Join(root, "proc/self/mountinfo"), parseMount)
	if err != nil {
		return nil, err
	}
	s := &System{}
	for _, o := range own {
		if m, ok := o.find(mounts); ok {
			s.add(root, o, m)
		}
	}
	if len(s.Hierarchies) == 0 {
		return nil, errors.New("find a cgroup hierarchy: none is mounted where this process may write; run as root, " +
			"or in a group of your own (systemd-run --user --scope -p Delegate=yes), or mount one (mount -t cgroup2 none /sys/fs/cgroup)")
	}
	return s, nil
}

// add adds a hierarchy, unless we may not make groups in it.
func (s *System) add(root string, o membership, m mount) {
	h := Hierarchy{Version: m.version, Controllers: o.controllers, Base: m.point}
	writable := func(dir string) bool { return dir != "" && unix.Access(filepath.Join(root, dir), unix.W_OK) == nil }
	if !writable(h.Base) {
		if h.Base = o.directory(m); !writable(h.Base) {
			return
		}
	}
	if h.Version == V2 {
		h.Controllers, h.Occupied = readUnified(filepath.Join(root, h.Base))
	}
	s.Hierarchies = append(s.Hierarchies, h)
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
	n := 0
	for _, h := range s.Hierarchies {
		if h.Version == V2 {
			n++
		}
	}
	switch n {
	case 0:
		return "v1"
	case len(s.Hierarchies):
		return "v2"
	}
	return "hybrid"
}

// Controllers lists what can be limited here, by v2's names, sorted. What v2 has
// in its core, and v1 has controllers for, counts: "devices" and "freezer".
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

// v2Name translates the name of a v1 controller; cpuacct is a part of v2's cpu.
func v2Name(controller string) string {
	switch controller {
	case "blkio":
		return "io"
	case "cpuacct":
		return "cpu"
	}
	return controller
}

// hierarchy finds the one that has a controller, by v2's name.
func (s *System) hierarchy(controller string) (Hierarchy, bool) {
	for _, h := range s.Hierarchies {
		for _, c := range h.Controllers {
			if v2Name(c) == controller && c != "cpuacct" {
				return h, true
			}
		}
	}
	i := slices.IndexFunc(s.Hierarchies, func(h Hierarchy) bool { return h.Version == V2 })
	if i < 0 || controller != "devices" {
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

// readLines parses a file line by line; parse says which lines count.
func readLines[T any](path string, parse func(line string) (T, bool)) ([]T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []T
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		if v, ok := parse(sc.Text()); ok {
			all = append(all, v)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	return all, nil
}
