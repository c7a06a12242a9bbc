package spec

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/blkiodev"
	"github.com/moby/moby/api/types/container"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// period is the usual length of a processor quota's period, in microseconds.
const period = 100000

// resources is the limits in the words of the OCI specification.
func resources(r container.Resources) (*specs.LinuxResources, error) {
	out := &specs.LinuxResources{Memory: memory(r), CPU: cpu(r), Devices: devices()}
	if r.PidsLimit != nil && *r.PidsLimit > 0 {
		out.Pids = &specs.LinuxPids{Limit: r.PidsLimit}
	}
	var err error
	if out.BlockIO, err = blockIO(r); err != nil {
		return nil, err
	}
	for _, rule := range r.DeviceCgroupRules {
		d, err := parseDeviceRule(rule)
		if err != nil {
			return nil, err
		}
		out.Devices = append(out.Devices, d)
	}
	return out, nil
}

func memory(r container.Resources) *specs.LinuxMemory {
	m := &specs.LinuxMemory{Limit: some(r.Memory), Reservation: some(r.MemoryReservation), Swap: some(r.MemorySwap)}
	if *m == (specs.LinuxMemory{}) {
		return nil
	}
	return m
}

func cpu(r container.Resources) *specs.LinuxCPU {
	c := &specs.LinuxCPU{Cpus: r.CpusetCpus, Mems: r.CpusetMems, Quota: some(r.CPUQuota)}
	if r.CPUShares > 0 {
		c.Shares = new(uint64(r.CPUShares))
	}
	if r.CPUPeriod > 0 {
		c.Period = new(uint64(r.CPUPeriod))
	}
	if r.NanoCPUs > 0 {
		c.Quota, c.Period = new(r.NanoCPUs*period/1e9), new(uint64(period))
	}
	return c
}

func some(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

func blockIO(r container.Resources) (*specs.LinuxBlockIO, error) {
	b := &specs.LinuxBlockIO{}
	if r.BlkioWeight > 0 {
		b.Weight = &r.BlkioWeight
	}
	for _, t := range []struct {
		from []*blkiodev.ThrottleDevice
		to   *[]specs.LinuxThrottleDevice
	}{
		{r.BlkioDeviceReadBps, &b.ThrottleReadBpsDevice}, {r.BlkioDeviceWriteBps, &b.ThrottleWriteBpsDevice},
		{r.BlkioDeviceReadIOps, &b.ThrottleReadIOPSDevice}, {r.BlkioDeviceWriteIOps, &b.ThrottleWriteIOPSDevice},
	} {
		for _, d := range t.from {
			var st unix.Stat_t
			if err := unix.Stat(d.Path, &st); err != nil {
				return nil, fmt.Errorf("find the disk %s: %w", d.Path, err)
			}
			throttle := specs.LinuxThrottleDevice{Rate: d.Rate}
			throttle.Major, throttle.Minor = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
			*t.to = append(*t.to, throttle)
		}
	}
	return b, nil
}

// devices is what a container may use: nothing, but the nodes that are in every
// /dev; making nodes is harmless (moby, daemon/pkg/oci/defaults.go).
func devices() []specs.LinuxDeviceCgroup {
	rule := func(kind string, major, minor int64, access string) specs.LinuxDeviceCgroup {
		d := specs.LinuxDeviceCgroup{Allow: true, Type: kind, Access: access}
		if major >= 0 {
			d.Major = &major
		}
		if minor >= 0 {
			d.Minor = &minor
		}
		return d
	}
	return []specs.LinuxDeviceCgroup{
		{Allow: false, Access: "rwm"},
		rule("c", -1, -1, "m"), rule("b", -1, -1, "m"),
		rule("c", 1, 3, "rwm"), rule("c", 1, 5, "rwm"), rule("c", 1, 7, "rwm"), // null zero full
		rule("c", 1, 8, "rwm"), rule("c", 1, 9, "rwm"), // random urandom
		rule("c", 5, 0, "rwm"), rule("c", 5, 1, "rwm"), rule("c", 5, 2, "rwm"), // tty console ptmx
		rule("c", 136, -1, "rwm"), // pts
	}
}

// parseDeviceRule reads --device-cgroup-rule: "c 1:3 rwm", with * for any number.
func parseDeviceRule(s string) (specs.LinuxDeviceCgroup, error) {
	d := specs.LinuxDeviceCgroup{Allow: true}
	bad := fmt.Errorf("--device-cgroup-rule %q: not of the form \"c 1:3 rwm\"", s)
	fields := strings.Fields(s)
	if len(fields) != 3 || !strings.Contains("abc", fields[0]) || strings.Trim(fields[2], "rwm") != "" {
		return d, bad
	}
	d.Type, d.Access = fields[0], fields[2]
	major, minor, ok := strings.Cut(fields[1], ":")
	if !ok {
		return d, bad
	}
	for text, to := range map[*string]**int64{&major: &d.Major, &minor: &d.Minor} {
		if *text == "*" {
			continue
		}
		n, err := strconv.ParseInt(*text, 10, 64)
		if err != nil {
			return d, bad
		}
		*to = &n
	}
	return d, nil
}
