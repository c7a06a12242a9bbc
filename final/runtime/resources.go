package runtime

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	cgroups "cutaway/03-cgroups"
	"cutaway/final/rootfs"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// limitsOf is a specification's resources in the words of chapter 3. What it has
// no word for is an error: a limit that is not kept is worse than none.
func limitsOf(r *specs.LinuxResources) (cgroups.Limits, error) {
	var l cgroups.Limits
	if r == nil {
		return l, nil
	}
	if m := r.Memory; m != nil {
		l.MemoryMax, l.MemoryLow, l.MemorySwap = value(m.Limit), value(m.Reservation), value(m.Swap)
	}
	if c := r.CPU; c != nil {
		l.CPUQuota, l.CPUPeriod = value(c.Quota), int64(value(c.Period))
		l.CPUShares, l.CPUs, l.Mems = value(c.Shares), c.Cpus, c.Mems
	}
	if r.Pids != nil {
		l.PidsMax = value(r.Pids.Limit)
	}
	if b := r.BlockIO; b != nil {
		l.IOWeight = value(b.Weight)
		l.IO = throttles(b)
	}
	for _, h := range r.HugepageLimits {
		l.HugeTLB = append(l.HugeTLB, cgroups.HugePage{Size: h.Pagesize, Max: int64(h.Limit)})
	}
	if rest := unlimited(*r); rest != "" {
		return l, fmt.Errorf("%w limits what cannot be limited here: %s", ErrSpec, rest)
	}
	if high, ok := r.Unified["memory.high"]; ok {
		var err error
		if l.MemoryHigh, err = strconv.ParseInt(strings.Replace(high, "max", "-1", 1), 10, 64); err != nil {
			return l, fmt.Errorf("%w: unified memory.high is %q; it must be a number of bytes, or max", ErrSpec, high)
		}
	}
	for _, d := range r.Devices {
		kind := d.Type
		if kind == "" {
			kind = "a"
		}
		l.Devices = append(l.Devices, cgroups.DeviceRule{Allow: d.Allow, Type: kind, Major: d.Major, Minor: d.Minor, Access: d.Access})
	}
	return l, nil
}

// unlimited is the part of the resources that limitsOf does not translate, as JSON; "" if there is none.
func unlimited(r specs.LinuxResources) string {
	m, c, b, unified := value(r.Memory), value(r.CPU), value(r.BlockIO), maps.Clone(r.Unified)
	m.Limit, m.Reservation, m.Swap = nil, nil, nil
	c.Quota, c.Period, c.Shares, c.Cpus, c.Mems = nil, nil, nil, "", ""
	delete(unified, "memory.high")
	b = specs.LinuxBlockIO{LeafWeight: b.LeafWeight, WeightDevice: b.WeightDevice}
	rest := specs.LinuxResources{Network: r.Network, Rdma: r.Rdma, Unified: unified}
	if m != (specs.LinuxMemory{}) {
		rest.Memory = &m
	}
	if c != (specs.LinuxCPU{}) {
		rest.CPU = &c
	}
	if b.LeafWeight != nil || b.WeightDevice != nil {
		rest.BlockIO = &b
	}
	text, _ := json.Marshal(rest) // of numbers and strings alone
	return strings.TrimSuffix(string(text), "{}")
}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// throttles gathers what the specification says in four lists, by disk.
func throttles(b *specs.LinuxBlockIO) []cgroups.IOLimit {
	var list []cgroups.IOLimit
	for i, throttle := range [][]specs.LinuxThrottleDevice{
		b.ThrottleReadBpsDevice, b.ThrottleWriteBpsDevice, b.ThrottleReadIOPSDevice, b.ThrottleWriteIOPSDevice,
	} {
		for _, t := range throttle {
			at := slices.IndexFunc(list, func(l cgroups.IOLimit) bool { return l.Major == t.Major && l.Minor == t.Minor })
			if at < 0 {
				at = len(list)
				list = append(list, cgroups.IOLimit{Major: t.Major, Minor: t.Minor})
			}
			l := &list[at]
			*[]*uint64{&l.ReadBPS, &l.WriteBPS, &l.ReadIOPS, &l.WriteIOPS}[i] = t.Rate
		}
	}
	return list
}

// cgroupMounts shows the container its own group, read-only: with v2 one mount
// of the one tree, whose root is the group because of the cgroup namespace;
// with v1 a directory of mounts, one for each hierarchy.
func (c *Compiled) cgroupMounts(s *specs.Spec, m specs.Mount, system *cgroups.System) {
	root, own := s.Root.Path, system.Create(s.Linux.CgroupsPath).Paths
	if system.Mode() == "v2" {
		c.do(rootfs.Mount{Root: root, Source: own[0], Target: m.Destination, Type: "bind", Options: append([]string{"bind"}, m.Options...)})
		return
	}
	c.do(rootfs.Mount{Root: root, Source: "tmpfs", Target: m.Destination, Type: "tmpfs", Options: []string{"nosuid", "noexec", "nodev", "mode=755"}})
	for i, h := range system.Hierarchies {
		name := filepath.Join(m.Destination, hierarchyName(h))
		c.do(rootfs.Mount{Root: root, Source: own[i], Target: name, Type: "bind", Options: append([]string{"bind"}, m.Options...)})
	}
	c.do(rootfs.Mount{Root: root, Target: m.Destination, Options: []string{"remount", "ro", "nosuid", "noexec", "nodev", "mode=755"}})
}

// hierarchyName is where a hierarchy is found by convention: cpu,cpuacct, or
// systemd for "name=systemd", or unified.
func hierarchyName(h cgroups.Hierarchy) string {
	if h.Version == cgroups.V2 {
		return "unified"
	}
	return strings.TrimPrefix(strings.Join(h.Controllers, ","), "name=")
}
