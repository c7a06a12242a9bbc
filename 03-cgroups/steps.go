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
// It changes nothing. The first step is a Create. In a group that exists already,
// what Limits does not mention stays as it is.
//
// A limit that cannot be had here is an error that says why and what to do.
func (s *System) Steps(name string, l Limits) ([]Step, error) {
	if !filepath.IsLocal(name) || filepath.Clean(name) != name || name == "." {
		return nil, fmt.Errorf("cgroup name %q is not a path below a base", name)
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	limits, err := s.translate(name, l)
	if err != nil {
		return nil, err
	}
	steps := []Step{s.Create(name)}
	for _, h := range s.Hierarchies {
		steps = append(steps, h.prepare(name, l)...)
	}
	steps = append(steps, limits...)
	if len(l.Devices) > 0 {
		h, err := s.hierarchy("devices")
		if err != nil {
			return nil, fmt.Errorf("limit Devices: %w", err)
		}
		steps = append(steps, Devices{Path: filepath.Join(h.Base, name), BPF: h.Version == V2, Rules: l.Devices})
	}
	return steps, nil
}

// prepare goes down to the group: what does a child not get from its parent by
// itself? In v2 the controllers: those that Stats reads, and hugetlb on demand.
// In v1 the processors.
func (h Hierarchy) prepare(name string, l Limits) []Step {
	pass := []string{"cpu", "cpuset", "io", "memory", "pids"}
	if len(l.HugeTLB) > 0 {
		pass = append(pass, "hugetlb")
	}
	pass = slices.DeleteFunc(pass, func(c string) bool { return !slices.Contains(h.Controllers, c) })
	var steps []Step
	dir := h.Base
	for part := range strings.SplitSeq(name, "/") {
		if h.Version == V2 && len(pass) > 0 {
			d := Delegate{Path: dir, Controllers: pass}
			if h.Occupied && dir == h.Base {
				d.Leaf = "init"
			}
			steps = append(steps, d)
		}
		dir = filepath.Join(dir, part)
		if h.Version == V1 && slices.Contains(pass, "cpuset") {
			steps = append(steps, Inherit{Path: dir})
		}
	}
	return steps
}

// translate says the limits in the language that is spoken here.
func (s *System) translate(name string, l Limits) ([]Step, error) {
	rows := l.rows()
	if s.swapFirst(name, l) {
		rows[0], rows[1] = rows[1], rows[0]
	}
	var steps []Step
	for _, r := range rows {
		h, err := s.hierarchy(r.controller)
		file, value := r.v2File, r.v2Value
		if h.Version == V1 {
			file, value = r.v1File, r.v1Value
		}
		switch {
		case !r.asked || h.Version == V2 && file == "":
			continue
		case err != nil:
		case file == "":
			err = errors.New("cgroup v1 has nothing like it: leave it out, or boot with cgroup v2 (systemd.unified_cgroup_hierarchy=1)")
		case strings.HasPrefix(value, "-") && value != "-1":
			err = fmt.Errorf("below zero only -1 (no limit) has a meaning, not %s", value)
		}
		if err != nil {
			return nil, fmt.Errorf("limit %s: %w", r.limit, err)
		}
		follows := r.limit == "MemorySwap" && l.MemorySwap == 0 // from MemoryMax; nobody asked for it
		steps = append(steps, Set{Path: filepath.Join(h.Base, name, file), Value: value, Optional: follows})
	}
	return steps, nil
}

// swapFirst: v1 refuses a memory limit above that of memory and swap together, so
// in a group that has both, and where both rise, the second goes first.
func (s *System) swapFirst(name string, l Limits) bool {
	h, _ := s.hierarchy("memory")
	if h.Version != V1 || l.MemoryMax == 0 {
		return false
	}
	now := Group{Paths: []string{filepath.Join(h.Base, name)}}.number("memory.memsw.limit_in_bytes")
	return now > 0 && uint64(l.MemoryMax) > now // -1 becomes the highest number
}
