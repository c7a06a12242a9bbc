package cgroups

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	cpuList  = regexp.MustCompile(`^\d+(-\d+)?(,\d+(-\d+)?)*$`)
	hugeSize = regexp.MustCompile(`^\d+(KB|MB|GB)$`)
)

// check refuses what no kernel accepts, in the user's terms.
func (l Limits) check() error {
	for _, c := range []struct {
		bad  bool
		what string
	}{
		{l.MemoryMax < 0 || l.MemoryHigh < 0 || l.MemoryLow < 0, "memory limits must not be negative"},
		{l.MemorySwap < -1, "MemorySwap must be -1 (no limit) or more"},
		{l.MemorySwap > 0 && l.MemoryMax == 0, "MemorySwap needs MemoryMax"},
		{l.MemorySwap > 0 && l.MemorySwap < l.MemoryMax, "MemorySwap counts memory and swap together, so it must not be below MemoryMax"},
		{l.CPUQuota < 0 || l.CPUQuota > 0 && l.CPUQuota < 1000, "CPUQuota must be 1000 microseconds or more"},
		{l.CPUPeriod != 0 && (l.CPUPeriod < 1000 || l.CPUPeriod > 1_000_000), "CPUPeriod must be from 1000 to 1000000 microseconds"},
		{l.CPUShares == 1 || l.CPUShares > 262144, "CPUShares must be from 2 to 262144"},
		{l.CPUs != "" && !cpuList.MatchString(l.CPUs), "CPUs must be a list like 0-2,4"},
		{l.Mems != "" && !cpuList.MatchString(l.Mems), "Mems must be a list like 0,1"},
		{l.IOWeight != 0 && (l.IOWeight < 10 || l.IOWeight > 1000), "IOWeight must be from 10 to 1000"},
	} {
		if c.bad {
			return fmt.Errorf("check limits: %s", c.what)
		}
	}
	for _, p := range l.HugeTLB {
		if !hugeSize.MatchString(p.Size) || p.Max <= 0 {
			return fmt.Errorf("check limits: huge page size %q must be like 2MB, its limit positive", p.Size)
		}
	}
	for _, d := range l.Devices {
		if err := d.check(); err != nil {
			return err
		}
	}
	return nil
}

func (d DeviceRule) check() error {
	all := d.Type == "a" && d.Major == nil && d.Minor == nil
	if !all && d.Type != "c" && d.Type != "b" {
		return fmt.Errorf(`check device rule: type %q must be "c", "b", or "a" without numbers`, d.Type)
	}
	if d.Access == "" || strings.Trim(d.Access, "rwm") != "" {
		return fmt.Errorf("check device rule: access %q must be of r, w and m", d.Access)
	}
	return nil
}
