package cgroups

import (
	"cmp"
	"errors"
	"fmt"
	"math"
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

// row is one limit in the two languages. A file "" is a language that cannot say
// it; in v2, which can say everything, one that says it in another row.
type row struct {
	limit           string // the field of Limits
	asked           bool
	controller      string // by v2's name
	v2File, v2Value string
	v1File, v1Value string
}

// rows is the chapter's table, executable, in the order of writing. In v1
// memory.limit_in_bytes may never be above memory.memsw.limit_in_bytes, so in a
// new group it comes first. A weight of disks in v1 is the BFQ scheduler's: that
// of CFQ went with CFQ in Linux 5.0.
func (l Limits) rows() []row {
	v2Swap, v1Swap := l.swap()
	v2CPU, v1CPU := l.cpuMax()
	rows := []row{
		{"MemoryMax", l.MemoryMax != 0, "memory", "memory.max", orMax(l.MemoryMax), "memory.limit_in_bytes", fmt.Sprint(l.MemoryMax)},
		{"MemorySwap", l.MemoryMax != 0 || l.MemorySwap != 0, "memory", "memory.swap.max", v2Swap, "memory.memsw.limit_in_bytes", v1Swap},
		{"MemoryHigh", l.MemoryHigh != 0, "memory", "memory.high", orMax(l.MemoryHigh), "", ""},
		{"MemoryLow", l.MemoryLow != 0, "memory", "memory.low", orMax(l.MemoryLow), "memory.soft_limit_in_bytes", fmt.Sprint(l.MemoryLow)},
		{"CPUPeriod", l.CPUPeriod != 0, "cpu", "", "", "cpu.cfs_period_us", fmt.Sprint(l.CPUPeriod)},
		{"CPUQuota", l.CPUPeriod != 0 || l.CPUQuota != 0, "cpu", "cpu.max", v2CPU, "cpu.cfs_quota_us", v1CPU},
		{"CPUShares", l.CPUShares != 0, "cpu", "cpu.weight", l.cpuWeight(), "cpu.shares", fmt.Sprint(l.CPUShares)},
		{"CPUs", l.CPUs != "", "cpuset", "cpuset.cpus", l.CPUs, "cpuset.cpus", l.CPUs},
		{"Mems", l.Mems != "", "cpuset", "cpuset.mems", l.Mems, "cpuset.mems", l.Mems},
		{"PidsMax", l.PidsMax != 0, "pids", "pids.max", orMax(l.PidsMax), "pids.max", orMax(l.PidsMax)},
		{"IOWeight", l.IOWeight != 0, "io", "io.weight", l.ioWeight(), "blkio.bfq.weight", fmt.Sprint(l.IOWeight)},
	}
	for _, p := range l.HugeTLB { // what is listed is asked for, also 0
		file := "hugetlb." + p.Size
		rows = append(rows, row{"HugeTLB", true, "hugetlb", file + ".max", orMax(p.Max), file + ".limit_in_bytes", fmt.Sprint(p.Max)})
	}
	for _, d := range l.IO {
		rows = append(rows, d.row("rbps", "read_bps", d.ReadBPS), d.row("wbps", "write_bps", d.WriteBPS),
			d.row("riops", "read_iops", d.ReadIOPS), d.row("wiops", "write_iops", d.WriteIOPS))
	}
	return rows
}

// orMax says a number as v2 does, which has a word for "no limit"; v1 has -1.
func orMax(n int64) string {
	if n == -1 {
		return "max"
	}
	return fmt.Sprint(n)
}

// swap is swap alone in v2, memory and swap together in v1. Docker's rule: without
// --memory-swap a container may swap as much as it has memory.
func (l Limits) swap() (v2, v1 string) {
	total := cmp.Or(l.MemorySwap, max(2*l.MemoryMax, -1))
	if total < 0 {
		return orMax(total), fmt.Sprint(total)
	}
	return fmt.Sprint(total - l.MemoryMax), fmt.Sprint(total)
}

// cpuMax is quota and period in v2, "50000 100000" or "max 100000"; in v1 it is
// the quota alone. 100000 is the kernel's own default.
func (l Limits) cpuMax() (v2, v1 string) {
	quota, period := cmp.Or(l.CPUQuota, -1), cmp.Or(l.CPUPeriod, 100_000)
	return fmt.Sprintf("%s %d", orMax(quota), period), fmt.Sprint(quota)
}

// cpuWeight translates v1's shares (2, usually 1024, to 262144) to v2's weights
// (1, usually 100, to 10000). A straight line through the ends would make of the
// usual 1024 an unusual 39, as Docker did for years. This curve, runc's since
// 2025, goes through all three points.
func (l Limits) cpuWeight() string {
	x := math.Log2(float64(l.CPUShares))
	return fmt.Sprint(int(math.Ceil(math.Pow(10, (x*x+125*x)/612-7.0/34) - 1e-9)))
}

// ioWeight stretches Docker's 10 to 1000 to v2's 1 to 10000, as runc does.
func (l Limits) ioWeight() string {
	return fmt.Sprintf("default %d", 1+(int(l.IOWeight)-10)*9999/990)
}

// row is one of the disk's four rates: "8:0 rbps=1048576" in v2's one file,
// "8:0 1048576" in a file for each in v1.
func (d IOLimit) row(v2, v1 string, rate uint64) row {
	disk := fmt.Sprintf("%d:%d", d.Major, d.Minor)
	v2Value, v1Value := fmt.Sprintf("%s %s=%d", disk, v2, rate), fmt.Sprintf("%s %d", disk, rate)
	return row{"IO", rate > 0, "io", "io.max", v2Value, "blkio.throttle." + v1 + "_device", v1Value}
}
