package cgroups

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Step is one thing done to the kernel: Create, Delegate, Inherit, Set or Devices.
type Step interface {
	Do() error
	String() string
}

// Steps lists what has to be done on the host so that a group called name (a
// relative path: "cutaway/4f2a…") exists in every hierarchy and has the limits.
// It changes nothing. The first step is always a Create.
//
// A limit that cannot be had here is an error that says why and what to do.
func (s *System) Steps(name string, l Limits) ([]Step, error) {
	if !filepath.IsLocal(name) || name == "." {
		return nil, fmt.Errorf("cgroup name %q is not a path below a base", name)
	}
	set, err := s.Update(name, l)
	if err != nil {
		return nil, err
	}
	steps := append([]Step{s.Create(name)}, s.prepare(name, l)...)
	return append(steps, set...), nil
}

// Create is the step that makes the group in every hierarchy.
func (s *System) Create(name string) Create { return Create{Name: name, Paths: s.paths(name)} }

// Join is the step with which a process enters the group.
func (s *System) Join(name string) Join { return Join{Name: name, Paths: s.paths(name)} }

// Group is the handle of the group.
func (s *System) Group(name string) Group { return Open(s.paths(name)...) }

// prepare makes the new directories usable: each tree of groups has its own idea
// of what a child gets from its parent by itself.
func (s *System) prepare(name string, l Limits) []Step {
	var steps []Step
	for _, h := range s.Hierarchies {
		dir := h.Base
		for _, part := range strings.Split(filepath.Clean(name), "/") {
			if controllers := h.delegable(l); len(controllers) > 0 {
				d := Delegate{Path: dir, Controllers: controllers}
				if dir == h.Base && h.occupied {
					d.Leaf = "init"
				}
				steps = append(steps, d)
			}
			dir = filepath.Join(dir, part)
			if h.Version == V1 && slices.Contains(h.Controllers, "cpuset") {
				steps = append(steps, Inherit{Path: dir})
			}
		}
	}
	return steps
}

// delegable is the v2 controllers to pass on: those that Stats reads, and hugetlb on demand.
func (h Hierarchy) delegable(l Limits) []string {
	if h.Version == V1 {
		return nil
	}
	want := []string{"cpu", "cpuset", "io", "memory", "pids"}
	if len(l.HugeTLB) > 0 {
		want = append(want, "hugetlb")
	}
	return slices.DeleteFunc(want, func(c string) bool { return !slices.Contains(h.Controllers, c) })
}

// Update lists what has to be done so that an existing group has the limits.
// What Limits does not mention stays as it is.
func (s *System) Update(name string, l Limits) ([]Step, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	var steps []Step
	for _, r := range append(slices.Clone(rows), hugeRows(l)...) {
		set, err := s.translate(name, l, r)
		if err != nil {
			return nil, err
		}
		steps = append(steps, set...)
	}
	if len(l.Devices) > 0 {
		h, ok := s.hierarchy("devices")
		if !ok {
			return nil, missing("devices", "Devices")
		}
		steps = append(steps, Devices{Path: filepath.Join(h.Base, name), BPF: h.Version == V2, Rules: l.Devices})
	}
	return steps, nil
}

// translate says one row of the table in the language spoken here.
func (s *System) translate(name string, l Limits, r row) ([]Step, error) {
	h, ok := s.hierarchy(r.controller)
	d := r.v2
	if h.Version == V1 {
		d = r.v1
	}
	if d.values == nil {
		return nil, nil // said by another row
	}
	values := d.values(l)
	switch {
	case len(values) == 0:
		return nil, nil
	case !ok:
		return nil, missing(r.controller, r.limit)
	case d.file == "":
		return nil, fmt.Errorf("limit %s: the %s controller of cgroup v1 has nothing like it; leave it out, or boot with cgroup v2 (systemd.unified_cgroup_hierarchy=1)", r.limit, r.controller)
	}
	var steps []Step
	for _, v := range values {
		steps = append(steps, Set{
			Path: filepath.Join(h.Base, name, h.spelling(d.file)), Value: v,
			Optional: r.limit == "MemorySwap" && l.MemorySwap == 0, // it only follows from MemoryMax
		})
	}
	return steps, nil
}

// missing is the error for a controller that is not there.
func missing(controller, limit string) error {
	return fmt.Errorf("limit %s: the cgroup controller %q is not available: the kernel lacks it (see /proc/cgroups), "+
		"it is not mounted (v1), or the parent group does not pass it on (v2: cgroup.controllers)", limit, controller)
}

// spelling is the file's name in this kernel: since Linux 5.0 weights on v1 are
// those of the BFQ scheduler, if it is there.
func (h Hierarchy) spelling(file string) string {
	if file == "blkio.weight" && exists(filepath.Join(h.Base, "blkio.bfq.io_service_bytes")) {
		return "blkio.bfq.weight"
	}
	return file
}

// hugeRows has a row for each size of huge pages that is limited.
func hugeRows(l Limits) []row {
	var rows []row
	for _, p := range l.HugeTLB {
		value := func(Limits) []string { return positive(p.Max) }
		rows = append(rows, row{"HugeTLB", "hugetlb",
			dialect{"hugetlb." + p.Size + ".max", value}, dialect{"hugetlb." + p.Size + ".limit_in_bytes", value}})
	}
	return rows
}
