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

// prepare goes down to the group: what does a child not get from its parent by itself?
func (h Hierarchy) prepare(name string, l Limits) []Step {
	var steps []Step
	dir, controllers := h.Base, h.delegable(l)
	for part := range strings.SplitSeq(name, "/") {
		if len(controllers) > 0 {
			d := Delegate{Path: dir, Controllers: controllers}
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

// delegable is the v2 controllers to pass on: those that Stats reads, and
// hugetlb on demand.
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
	now := Open(filepath.Join(h.Base, name)).counters().first("memory.memsw.limit_in_bytes")
	return now > 0 && uint64(l.MemoryMax) > now // -1 becomes the highest number
}

// translate says one row of the table in the language spoken here.
func (s *System) translate(name string, l Limits, r row) ([]Step, error) {
	h, ok := s.hierarchy(r.controller)
	d := r.v2
	if h.Version == V1 {
		d = r.v1
	}
	if d.values == nil || len(d.values(l)) == 0 {
		return nil, nil // not asked for, or said by another row
	}
	if !ok {
		return nil, errMissing(r.controller)
	}
	if d.file == "" {
		return nil, fmt.Errorf("cgroup v1 has nothing like it: leave it out, or boot with cgroup v2 (systemd.unified_cgroup_hierarchy=1)")
	}
	var steps []Step
	for _, v := range d.values(l) {
		steps = append(steps, Set{
			Path: filepath.Join(h.Base, name, h.spelling(d.file)), Value: v,
			Optional: r.limit == "MemorySwap" && l.MemorySwap == 0, // it only follows from MemoryMax
		})
	}
	return steps, nil
}

func errMissing(controller string) error {
	return fmt.Errorf("the cgroup controller %q is not available: the kernel lacks it (/proc/cgroups), it is not mounted (v1), "+
		"or the parent group does not pass it on (v2: cgroup.controllers)", controller)
}

// spelling is the file's name in this kernel: since Linux 5.0 v1's weights are
// those of the BFQ scheduler, if it is loaded.
func (h Hierarchy) spelling(file string) string {
	if file == "blkio.weight" && exists(filepath.Join(h.Base, "blkio.bfq.io_service_bytes")) {
		return "blkio.bfq.weight"
	}
	return file
}
