package cgroups

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// row is one limit in the two languages: the chapter's table, executable.
type row struct {
	limit      string // the field of Limits
	controller string // by v2's name
	v2, v1     string // the file in which it is written; "": this language cannot say it
	value      value
}

// value is what to write: several lines are written one by one, "" means that
// the limit is not asked for, or that another row says it.
type value func(Limits, Version) string

// table is in the order of writing. In v1 memory.limit_in_bytes may never be
// above memory.memsw.limit_in_bytes, so in a new group it comes first; Update
// turns the two round where both rise. A weight of disks in v1 is the BFQ
// scheduler's: that of CFQ went with CFQ in Linux 5.0.
var table = []row{
	{"MemoryMax", "memory", "memory.max", "memory.limit_in_bytes", number(func(l Limits) int64 { return l.MemoryMax })},
	{"MemorySwap", "memory", "memory.swap.max", "memory.memsw.limit_in_bytes", swap},
	{"MemoryHigh", "memory", "memory.high", "", number(func(l Limits) int64 { return l.MemoryHigh })},
	{"MemoryLow", "memory", "memory.low", "memory.soft_limit_in_bytes", number(func(l Limits) int64 { return l.MemoryLow })},
	{"CPUPeriod", "cpu", "", "cpu.cfs_period_us", onlyV1(number(func(l Limits) int64 { return l.CPUPeriod }))},
	{"CPUQuota", "cpu", "cpu.max", "cpu.cfs_quota_us", cpuMax},
	{"CPUShares", "cpu", "cpu.weight", "cpu.shares", cpuWeight},
	{"CPUs", "cpuset", "cpuset.cpus", "cpuset.cpus", func(l Limits, _ Version) string { return l.CPUs }},
	{"Mems", "cpuset", "cpuset.mems", "cpuset.mems", func(l Limits, _ Version) string { return l.Mems }},
	{"PidsMax", "pids", "pids.max", "pids.max", func(l Limits, _ Version) string { return decimal(l.PidsMax, V2) }},
	{"IOWeight", "io", "io.weight", "blkio.bfq.weight", ioWeight},
	{"IO", "io", "io.max", "blkio.throttle.read_bps_device", ioMax},
	{"IO", "io", "", "blkio.throttle.write_bps_device", throttle(1)},
	{"IO", "io", "", "blkio.throttle.read_iops_device", throttle(2)},
	{"IO", "io", "", "blkio.throttle.write_iops_device", throttle(3)},
}

// hugeRows is a row for each size of huge pages that is limited.
func hugeRows(l Limits) []row {
	var rows []row
	for _, p := range l.HugeTLB {
		limit := func(_ Limits, v Version) string { return cmp.Or(decimal(p.Max, v), "0") } // what is listed is asked for
		rows = append(rows, row{"HugeTLB", "hugetlb", "hugetlb." + p.Size + ".max", "hugetlb." + p.Size + ".limit_in_bytes", limit})
	}
	return rows
}

// number is the value of a limit that is one number.
func number(get func(Limits) int64) value {
	return func(l Limits, v Version) string { return decimal(get(l), v) }
}

// decimal says a number; the languages differ in "no limit".
func decimal(n int64, v Version) string {
	switch {
	case n == 0:
		return ""
	case n == -1 && v == V2:
		return "max"
	}
	return strconv.FormatInt(n, 10)
}

// swap is memory and swap together in v1, swap alone in v2. Docker's rule: without
// --memory-swap a container may swap as much as it has memory.
func swap(l Limits, v Version) string {
	total := cmp.Or(l.MemorySwap, max(2*l.MemoryMax, -1))
	if v == V2 && total > 0 {
		return strconv.FormatInt(total-l.MemoryMax, 10)
	}
	return decimal(total, v)
}

// cpuMax is the quota in v1, quota and period in v2: "50000 100000", "max 100000".
func cpuMax(l Limits, v Version) string {
	quota := decimal(l.CPUQuota, v)
	if v == V1 || quota == "" && l.CPUPeriod == 0 {
		return quota
	}
	return fmt.Sprintf("%s %d", cmp.Or(quota, "max"), cmp.Or(l.CPUPeriod, 100_000)) // the kernel's own default
}

// cpuWeight translates v1's shares (2, usually 1024, to 262144) to v2's weights
// (1, usually 100, to 10000). A straight line through the ends would make of the
// usual 1024 an unusual 39, as Docker did for years. This curve, runc's since
// 2025, goes through all three points.
func cpuWeight(l Limits, v Version) string {
	if v == V1 || l.CPUShares == 0 {
		return decimal(int64(l.CPUShares), v)
	}
	x := math.Log2(float64(l.CPUShares))
	weight := math.Ceil(math.Pow(10, (x*x+125*x)/612-7.0/34) - 1e-9)
	return strconv.Itoa(int(weight))
}

// ioWeight stretches Docker's 10 to 1000 to v2's 1 to 10000, as runc does.
func ioWeight(l Limits, v Version) string {
	if v == V1 || l.IOWeight == 0 {
		return decimal(int64(l.IOWeight), v)
	}
	return fmt.Sprintf("default %d", 1+(int(l.IOWeight)-10)*9999/990)
}

// rates are the four numbers of a disk in the order of the rows.
func (d IOLimit) rates() [4]uint64 {
	return [4]uint64{d.ReadBPS, d.WriteBPS, d.ReadIOPS, d.WriteIOPS}
}

// ioMax is all four in v2, a line for each disk: "8:0 rbps=1048576 wiops=120".
func ioMax(l Limits, v Version) string {
	if v == V1 {
		return throttle(0)(l, v)
	}
	var lines []string
	for _, d := range l.IO {
		line := fmt.Sprintf("%d:%d", d.Major, d.Minor)
		for i, key := range []string{"rbps", "wbps", "riops", "wiops"} {
			if n := d.rates()[i]; n > 0 {
				line += fmt.Sprintf(" %s=%d", key, n)
			}
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// throttle is v1's way: a file for each of the four rates, "8:0 1048576" in it.
func throttle(rate int) value {
	return onlyV1(func(l Limits, _ Version) string {
		var lines []string
		for _, d := range l.IO {
			if n := d.rates()[rate]; n > 0 {
				lines = append(lines, fmt.Sprintf("%d:%d %d", d.Major, d.Minor, n))
			}
		}
		return strings.Join(lines, "\n")
	})
}

// onlyV1 is a value that v2 says in another row.
func onlyV1(in value) value {
	return func(l Limits, v Version) string {
		if v == V1 {
			return in(l, v)
		}
		return ""
	}
}
