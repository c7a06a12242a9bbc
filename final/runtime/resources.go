package runtime

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	cgroups "cutaway/03-cgroups"
	"cutaway/final/rootfs"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// limitsOf is a specification's resources in the words of chapter 3.
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
	if r.Network != nil || len(r.Rdma) > 0 {
		return l, fmt.Errorf("%w limits RDMA or network priorities", ErrSpec)
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
