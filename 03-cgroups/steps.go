package cgroups

import (
	"errors"
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
// relative path: "cutaway/4f2a") exists in every hierarchy and has the limits.
// It changes nothing. The first step is a Create.
//
// A limit that cannot be had here is an error that says why and what to do.
func (s *System) Steps(name string, l Limits) ([]Step, error) {
	if !filepath.IsLocal(name) || filepath.Clean(name) != name || name == "." {
		return nil, fmt.Errorf("cgroup name %q is not a path below a base", name)
	}
	limits, err := s.Update(name, l)
	if err != nil {
		return nil, err
	}
	steps := []Step{s.Create(name)}
	for _, h := range s.Hierarchies {
		steps = append(steps, h.prepare(name, l)...)
	}
	return append(steps, limits...), nil
}

// prepare goes down to the group: what does a child not get from its parent by
// itself? In v2 the controllers: those that Stats reads, and hugetlb on demand.
// In v1 the processors.
func (h Hierarchy) prepare(name string, l Limits) []Step {
	pass := []string{"cpu", "cpuset", "io", "memory", "pids"}
	if len(l.HugeTLB) > 0 {
		pass = append(pass, "hugetlb")
	}
	pass = slices.DeleteFunc(pass, func(c string) bool { return h.Version == V1 || !slices.Contains(h.Controllers, c) })
	var steps []Step
	dir := h.Base
	for part := range strings.SplitSeq(name, "/") {
		if len(pass) > 0 {
			d := Delegate{Path: dir, Controllers: pass}
			if dir == h.Base && h.Occupied {
				d.Leaf = "init"
			}
			steps = append(steps, d)
		}
		dir = filepath.Join(dir, part)
		if h.Version == V1 && slices.Contains(h.Controllers, "cpuset") {
			steps = append(steps, Inherit{Path: dir})
		}
	}
	return steps
}

// Update lists what has to be done so that an existing group has the limits.
// What Limits does not mention stays as it is.
func (s *System) Update(name string, l Limits) ([]Step, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	var steps []Step
	for _, r := range slices.Concat(table, hugeRows(l)) {
		set, err := s.translate(name, l, r)
		if err != nil {
			return nil, fmt.Errorf("limit %s: %w", r.limit, err)
		}
		steps = append(steps, set...)
	}
	if s.swapFirst(name, l) {
		steps[0], steps[1] = steps[1], steps[0]
	}
	if len(l.Devices) > 0 {
		h, ok := s.hierarchy("devices")
		if !ok {
			return nil, fmt.Errorf("limit Devices: %w", errMissing("devices"))
		}
		steps = append(steps, Devices{Path: filepath.Join(h.Base, name), BPF: h.Version == V2, Rules: l.Devices})
	}
	return steps, nil
}

// swapFirst: v1 refuses a memory limit above the one of memory and swap together.
func (s *System) swapFirst(name string, l Limits) bool {
	h, _ := s.hierarchy("memory")
	if h.Version != V1 || l.MemoryMax == 0 {
		return false
	}
	now := Group{Paths: []string{filepath.Join(h.Base, name)}}.counter("memory.memsw.limit_in_bytes")
	return now > 0 && uint64(l.MemoryMax) > now // -1 becomes the highest number
}

// translate says one row of the table in the language spoken here.
func (s *System) translate(name string, l Limits, r row) ([]Step, error) {
	h, ok := s.hierarchy(r.controller)
	file, text := r.v2, r.value(l, V2)
	if h.Version == V1 {
		file, text = r.v1, r.value(l, V1)
	}
	switch {
	case text == "":
		return nil, nil
	case !ok:
		return nil, errMissing(r.controller)
	case file == "":
		return nil, errors.New("cgroup v1 has nothing like it: leave it out, or boot with cgroup v2 (systemd.unified_cgroup_hierarchy=1)")
	}
	var steps []Step
	for value := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(value, "-") && value != "-1" {
			return nil, fmt.Errorf("below zero only -1 (no limit) has a meaning, not %s", value)
		}
		steps = append(steps, Set{
			Path: filepath.Join(h.Base, name, file), Value: value,
			Optional: r.limit == "MemorySwap" && l.MemorySwap == 0, // it only follows from MemoryMax
		})
	}
	return steps, nil
}

func errMissing(controller string) error {
	return fmt.Errorf("the cgroup controller %q is not available: the kernel lacks it (/proc/cgroups), it is not mounted (v1), "+
		"or the parent group does not pass it on (v2: cgroup.controllers)", controller)
}
