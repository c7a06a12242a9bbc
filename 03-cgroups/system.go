package cgroups

import (
	"errors"
	"fmt"
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

// detect is Detect for the file system below root. /proc/self/cgroup, cgroups(7),
// has a line for each hierarchy, with the group that we are in:
//
//	0::/user.slice/user-1000.slice   v2
//	4:memory:/user.slice             v1
//	3:cpu,cpuacct:/user.slice        v1
func detect(root string) (*System, error) {
	groups, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	mounts, err2 := os.ReadFile(filepath.Join(root, "proc/self/mountinfo"))
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	s := &System{}
	for line := range strings.Lines(string(groups)) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), ":")
		controllers, own, _ := strings.Cut(line, ":")
		h := Hierarchy{Version: V2}
		if controllers != "" {
			h = Hierarchy{Version: V1, Controllers: strings.Split(controllers, ",")}
		}
		if h.findBase(root, own, string(mounts)) {
			s.Hierarchies = append(s.Hierarchies, h)
		}
	}
	if len(s.Hierarchies) == 0 {
		return nil, errors.New("find a cgroup hierarchy: none is mounted where this process may write; run as root, " +
			"or in a group of your own (systemd-run --user --scope -p Delegate=yes), or mount one (mount -t cgroup2 none /sys/fs/cgroup)")
	}
	return s, nil
}

// findBase fills in the base, if the hierarchy is mounted and we may make groups
// in it; of v2 also what the base may pass on to its children, and whether
// processes of its own keep it from that. The root, which has no cgroup.type, is
// exempt from "no internal processes".
func (h *Hierarchy) findBase(root, own, mountinfo string) bool {
	top, point := h.findMount(mountinfo)
	bases := []string{point}
	if below, err := filepath.Rel(top, own); err == nil && filepath.IsLocal(below) { // the mount shows our own group
		bases = append(bases, filepath.Join(point, below))
	}
	i := slices.IndexFunc(bases, func(base string) bool { return unix.Access(filepath.Join(root, base), unix.W_OK) == nil })
	if i < 0 || point == "" {
		return false
	}
	h.Base = bases[i]
	if h.Version == V2 {
		dir := filepath.Join(root, h.Base)
		list, _ := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
		procs, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		h.Controllers, h.Occupied = strings.Fields(string(list)), len(procs) > 0 && exists(filepath.Join(dir, "cgroup.type"))
	}
	return true
}

// findMount finds the hierarchy's line in mountinfo, proc_pid_mountinfo(5):
//
//	35 31 0:32 /docker/4f2a /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
//	           top          point                 …                      type   …      options
//
// The top is a group: which part of the hierarchy is mounted. With v1, the
// controllers are among the options. There may be several lines (a bind mount for
// a chroot, say): the one in the usual place is best, and then the last, which may
// hide an earlier one.
func (h *Hierarchy) findMount(mountinfo string) (top, point string) {
	const usual = "/sys/fs/cgroup"
	kind := map[Version]string{V1: "cgroup", V2: "cgroup2"}[h.Version]
	blank := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(mountinfo) {
		f := strings.Fields(line)
		if len(f) < 10 || f[len(f)-3] != kind || strings.HasPrefix(point, usual) && !strings.HasPrefix(f[4], usual) {
			continue
		}
		options := strings.Split(f[len(f)-1], ",")
		if !slices.ContainsFunc(h.Controllers, func(c string) bool { return !slices.Contains(options, c) }) {
			top, point = blank.Replace(f[3]), blank.Replace(f[4])
		}
	}
	return top, point
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
	all := []string{"cpu", "cpuset", "devices", "freezer", "hugetlb", "io", "memory", "pids"}
	return slices.DeleteFunc(all, func(c string) bool {
		_, err := s.hierarchy(c)
		return err != nil
	})
}

// hierarchy finds the one that has a controller, by v2's name.
func (s *System) hierarchy(controller string) (Hierarchy, error) {
	for _, h := range s.Hierarchies {
		if slices.Contains(h.Controllers, controller) ||
			h.Version == V1 && controller == "io" && slices.Contains(h.Controllers, "blkio") ||
			h.Version == V2 && (controller == "devices" || controller == "freezer") {
			return h, nil
		}
	}
	return Hierarchy{}, fmt.Errorf("the cgroup controller %q is not available: the kernel lacks it (/proc/cgroups), it is not mounted (v1), "+
		"or the parent group does not pass it on (v2: cgroup.controllers)", controller)
}

// Create is the step that makes the group called name in every hierarchy.
func (s *System) Create(name string) Create {
	c := Create{Name: name}
	for _, h := range s.Hierarchies {
		c.Paths = append(c.Paths, filepath.Join(h.Base, name))
	}
	return c
}

// Join is the step by which a process enters the group.
func (s *System) Join(name string) Join { return Join{Name: name, Paths: s.Create(name).Paths} }
