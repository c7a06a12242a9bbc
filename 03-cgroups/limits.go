package cgroups

import (
	"errors"
	"fmt"
	"strings"
)

// Limits is what a container may use. Zero leaves a thing as it is, which in a
// new group is without limit; where a number can be limited, -1 takes a limit away.
type Limits struct {
	MemoryMax  int64 // bytes; at this point the kernel kills. docker run --memory
	MemoryHigh int64 // bytes; above it the kernel slows the group down and reclaims; v2 only
	MemoryLow  int64 // bytes that others should leave to the group. docker run --memory-reservation
	MemorySwap int64 // bytes, memory and swap together; 0: twice MemoryMax. docker run --memory-swap

	CPUQuota  int64  // microseconds of processor time in a period. docker run --cpus 1.5 is 150000
	CPUPeriod int64  // microseconds; 0: 100000
	CPUShares uint64 // 2 to 262144, usually 1024: the part of a busy processor. docker run --cpu-shares
	CPUs      string // a list of processors, "0-2,4". docker run --cpuset-cpus
	Mems      string // a list of NUMA nodes. docker run --cpuset-mems

	PidsMax int64 // processes and threads. docker run --pids-limit

	IOWeight uint16     // 10 to 1000, usually 100: the part of a busy disk. docker run --blkio-weight
	IO       []IOLimit  // for each disk
	HugeTLB  []HugePage // for each size of huge pages

	Devices []DeviceRule // which device nodes may be made, read and written
}

// IOLimit limits what is read from and written to one block device; zero is no limit.
type IOLimit struct {
	Major, Minor        int64
	ReadBPS, WriteBPS   uint64 // bytes a second
	ReadIOPS, WriteIOPS uint64 // operations a second
}

// HugePage limits the use of huge pages of one size.
type HugePage struct {
	Size string // as the kernel spells it: "2MB", "1GB"
	Max  int64  // bytes; 0: none may be used
}

// DeviceRule allows or denies access to device nodes. Of the rules that match,
// the last decides; a device that no rule mentions is as free as in the parent.
type DeviceRule struct {
	Allow  bool
	Type   string // "c" character, "b" block; "a" all devices, then without numbers
	Major  *int64 // nil: any
	Minor  *int64 // nil: any
	Access string // of r(ead), w(rite), m(knod)
}

// check refuses what would be written as something else than was meant. What
// the kernel refuses by itself is left to it.
func (l Limits) check() error {
	if l.MemorySwap > 0 && (l.MemoryMax <= 0 || l.MemorySwap < l.MemoryMax) {
		return errors.New("check limits: MemorySwap counts memory and swap together, so it needs a MemoryMax that is not above it")
	}
	for _, p := range l.HugeTLB {
		if strings.Trim(p.Size, "0123456789KMGB") != "" {
			return fmt.Errorf("check limits: huge page size %q must be like 2MB", p.Size)
		}
	}
	for _, d := range l.Devices {
		all := d.Type == "a" && d.Major == nil && d.Minor == nil
		if !all && d.Type != "c" && d.Type != "b" || d.Access == "" || strings.Trim(d.Access, "rwm") != "" {
			return fmt.Errorf(`check device rule %q: it must be "a", or like "c 1:3 rwm"`, d)
		}
	}
	return nil
}
