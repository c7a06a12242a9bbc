package cgroups

import (
	"fmt"
	"math"
	"strconv"
)

// row is one limit in the two languages: the chapter's table, executable.
type row struct {
	limit      string // the field of Limits
	controller string // by v2's name
	v2, v1     dialect
}

// dialect is the file in which a limit is written, and the values to write, one
// by one; none if the limit is not asked for. A file "" cannot be written.
type dialect struct {
	file   string
	values func(Limits) []string
}

// table is in the order of writing. In v1 memory.limit_in_bytes may never be
// above memory.memsw.limit_in_bytes, so in a new group it comes first; Update
// turns the two round where both rise.
var table = []row{
	{"MemoryMax", "memory", dialect{"memory.max", memoryMax.v2}, dialect{"memory.limit_in_bytes", memoryMax.v1}},
	{"MemorySwap", "memory", dialect{"memory.swap.max", swapMax}, dialect{"memory.memsw.limit_in_bytes", swapTotal.v1}},
	{"MemoryHigh", "memory", dialect{"memory.high", memoryHigh.v2}, dialect{"", memoryHigh.v1}},
	{"MemoryLow", "memory", dialect{"memory.low", memoryLow.v2}, dialect{"memory.soft_limit_in_bytes", memoryLow.v1}},
	{"CPUPeriod", "cpu", dialect{}, dialect{"cpu.cfs_period_us", cpuPeriod.v1}},
	{"CPUQuota", "cpu", dialect{"cpu.max", cpuMax}, dialect{"cpu.cfs_quota_us", cpuQuota.v1}},
	{"CPUShares", "cpu", dialect{"cpu.weight", cpuWeight}, dialect{"cpu.shares", cpuShares.v1}},
	{"CPUs", "cpuset", dialect{"cpuset.cpus", cpus}, dialect{"cpuset.cpus", cpus}},
	{"Mems", "cpuset", dialect{"cpuset.mems", mems}, dialect{"cpuset.mems", mems}},
	{"PidsMax", "pids", dialect{"pids.max", pidsMax.v2}, dialect{"pids.max", pidsMax.v2}},
	{"IOWeight", "io", dialect{"io.weight", ioWeight}, dialect{"blkio.weight", blkioWeight.v1}},
	{"IO", "io", dialect{"io.max", ioMax}, dialect{"blkio.throttle.read_bps_device", throttle(readBPS)}},
	{"IO", "io", dialect{}, dialect{"blkio.throttle.write_bps_device", throttle(writeBPS)}},
	{"IO", "io", dialect{}, dialect{"blkio.throttle.read_iops_device", throttle(readIOPS)}},
	{"IO", "io", dialect{}, dialect{"blkio.throttle.write_iops_device", throttle(writeIOPS)}},
}

// hugeRows is a row for each size of huge pages that is limited.
func hugeRows(l Limits) []row {
	var rows []row
	for _, p := range l.HugeTLB {
		limit := number(func(Limits) int64 { return p.Max })
		rows = append(rows, row{"HugeTLB", "hugetlb",
			dialect{"hugetlb." + p.Size + ".max", limit.v2}, dialect{"hugetlb." + p.Size + ".limit_in_bytes", limit.v1}})
	}
	return rows
}

// number is a limit that is one number. The languages differ in how they say
// "no limit".
type number func(Limits) int64

func (n number) v1(l Limits) []string {
	if n(l) == 0 {
		return nil
	}
	return []string{strconv.FormatInt(n(l), 10)}
}

func (n number) v2(l Limits) []string {
	if n(l) == -1 {
		return []string{"max"}
	}
	return n.v1(l)
}

var (
	memoryMax   = number(func(l Limits) int64 { return l.MemoryMax })
	memoryHigh  = number(func(l Limits) int64 { return l.MemoryHigh })
	memoryLow   = number(func(l Limits) int64 { return l.MemoryLow })
	cpuShares   = number(func(l Limits) int64 { return int64(l.CPUShares) })
	pidsMax     = number(func(l Limits) int64 { return l.PidsMax })
	blkioWeight = number(func(l Limits) int64 { return int64(l.IOWeight) })
	cpuQuota    = number(func(l Limits) int64 { return l.CPUQuota })
	cpuPeriod   = number(func(l Limits) int64 { return l.CPUPeriod })
)

// swapTotal is memory and swap together, which v1 limits. Docker's rule: without
// --memory-swap a container may swap as much as it has memory.
var swapTotal = number(func(l Limits) int64 {
	if l.MemorySwap == 0 {
		return max(2*l.MemoryMax, -1)
	}
	return l.MemorySwap
})

// swapMax is swap alone, which v2 limits.
func swapMax(l Limits) []string {
	total := swapTotal(l)
	if total <= 0 {
		return swapTotal.v2(l)
	}
	return []string{strconv.FormatInt(total-l.MemoryMax, 10)}
}

// cpuMax is v2's quota and period in one: "50000 100000", or "max 100000".
func cpuMax(l Limits) []string {
	quota := cpuQuota.v2(l)
	switch {
	case quota == nil && l.CPUPeriod == 0:
		return nil
	case quota == nil:
		quota = []string{"max"}
	}
	period := l.CPUPeriod
	if period == 0 {
		period = 100_000 // the kernel's own default
	}
	return []string{fmt.Sprintf("%s %d", quota[0], period)}
}

// cpuWeight translates v1's shares (2, usually 1024, to 262144) to v2's weights
// (1, usually 100, to 10000). A straight line through the ends would make of the
// usual 1024 an unusual 39, as Docker did for years. This curve, runc's since
// 2025, goes through all three points.
func cpuWeight(l Limits) []string {
	if l.CPUShares == 0 {
		return nil
	}
	x := math.Log2(float64(l.CPUShares))
	weight := math.Ceil(math.Pow(10, (x*x+125*x)/612-7.0/34) - 1e-9)
	return []string{strconv.Itoa(int(weight))}
}

// ioWeight stretches Docker's 10 to 1000 to v2's 1 to 10000, as runc does.
func ioWeight(l Limits) []string {
	if l.IOWeight == 0 {
		return nil
	}
	return []string{fmt.Sprintf("default %d", 1+(int(l.IOWeight)-10)*9999/990)}
}

func cpus(l Limits) []string { return text(l.CPUs) }
func mems(l Limits) []string { return text(l.Mems) }

func text(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// ioMax is one line for each disk: "8:0 rbps=1048576 wiops=120".
func ioMax(l Limits) []string {
	var lines []string
	for _, d := range l.IO {
		line := fmt.Sprintf("%d:%d", d.Major, d.Minor)
		for i, key := range []string{"rbps", "wbps", "riops", "wiops"} {
			if n := []uint64{d.ReadBPS, d.WriteBPS, d.ReadIOPS, d.WriteIOPS}[i]; n > 0 {
				line += fmt.Sprintf(" %s=%d", key, n)
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func readBPS(d IOLimit) uint64   { return d.ReadBPS }
func writeBPS(d IOLimit) uint64  { return d.WriteBPS }
func readIOPS(d IOLimit) uint64  { return d.ReadIOPS }
func writeIOPS(d IOLimit) uint64 { return d.WriteIOPS }

// throttle is v1's way: a file for each of the four, "8:0 1048576" in it.
func throttle(what func(IOLimit) uint64) func(Limits) []string {
	return func(l Limits) []string {
		var lines []string
		for _, d := range l.IO {
			if n := what(d); n > 0 {
				lines = append(lines, fmt.Sprintf("%d:%d %d", d.Major, d.Minor, n))
			}
		}
		return lines
	}
}
