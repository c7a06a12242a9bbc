package cgroups

import (
	"fmt"
	"math"
	"strconv"
)

// row is one limit in both languages: the book's table, executable.
type row struct {
	limit      string // the field of Limits
	controller string // v2's name for it
	v2, v1     dialect
}

// dialect is the file in which a limit is written, and the values written to
// it; none if the limit is not asked for.
type dialect struct {
	file   string
	values func(Limits) []string
}

// rows is in the order of writing. In v1 memory.limit_in_bytes must never be
// above memory.memsw.limit_in_bytes, so it is lowered first.
var rows = []row{
	{"MemoryMax", "memory", dialect{"memory.max", memoryMax}, dialect{"memory.limit_in_bytes", memoryMax}},
	{"MemorySwap", "memory", dialect{"memory.swap.max", swapMax}, dialect{"memory.memsw.limit_in_bytes", memswMax}},
	{"MemoryHigh", "memory", dialect{"memory.high", memoryHigh}, dialect{"", memoryHigh}},
	{"MemoryLow", "memory", dialect{"memory.low", memoryLow}, dialect{"memory.soft_limit_in_bytes", memoryLow}},
	{"CPUPeriod", "cpu", dialect{}, dialect{"cpu.cfs_period_us", cpuPeriod}},
	{"CPUQuota", "cpu", dialect{"cpu.max", cpuMax}, dialect{"cpu.cfs_quota_us", cpuQuota}},
	{"CPUShares", "cpu", dialect{"cpu.weight", cpuWeight}, dialect{"cpu.shares", cpuShares}},
	{"CPUs", "cpuset", dialect{"cpuset.cpus", cpus}, dialect{"cpuset.cpus", cpus}},
	{"Mems", "cpuset", dialect{"cpuset.mems", mems}, dialect{"cpuset.mems", mems}},
	{"PidsMax", "pids", dialect{"pids.max", pidsMax}, dialect{"pids.max", pidsMax}},
	{"IOWeight", "io", dialect{"io.weight", ioWeight}, dialect{"blkio.weight", blkioWeight}},
	{"IO", "io", dialect{"io.max", ioMax}, dialect{}},
	{"IO", "io", dialect{}, dialect{"blkio.throttle.read_bps_device", throttle(func(d IOLimit) uint64 { return d.ReadBPS })}},
	{"IO", "io", dialect{}, dialect{"blkio.throttle.write_bps_device", throttle(func(d IOLimit) uint64 { return d.WriteBPS })}},
	{"IO", "io", dialect{}, dialect{"blkio.throttle.read_iops_device", throttle(func(d IOLimit) uint64 { return d.ReadIOPS })}},
	{"IO", "io", dialect{}, dialect{"blkio.throttle.write_iops_device", throttle(func(d IOLimit) uint64 { return d.WriteIOPS })}},
}

func positive(n int64) []string {
	if n <= 0 {
		return nil
	}
	return []string{strconv.FormatInt(n, 10)}
}

func text(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func memoryMax(l Limits) []string  { return positive(l.MemoryMax) }
func memoryHigh(l Limits) []string { return positive(l.MemoryHigh) }
func memoryLow(l Limits) []string  { return positive(l.MemoryLow) }
func pidsMax(l Limits) []string    { return positive(l.PidsMax) }
func cpus(l Limits) []string       { return text(l.CPUs) }
func mems(l Limits) []string       { return text(l.Mems) }

// swapTotal is Docker's rule: without --memory-swap a container gets as much
// swap again as it has memory. 0 is: not limited, leave it alone.
func swapTotal(l Limits) int64 {
	if l.MemorySwap == 0 {
		return 2 * max(l.MemoryMax, 0)
	}
	return l.MemorySwap
}

// memswMax is v1's: memory and swap together.
func memswMax(l Limits) []string {
	if l.MemorySwap == -1 {
		return []string{"-1"}
	}
	return positive(swapTotal(l))
}

// swapMax is v2's: swap alone.
func swapMax(l Limits) []string {
	total := swapTotal(l)
	switch {
	case total == 0:
		return nil
	case total == -1:
		return []string{"max"}
	}
	return []string{strconv.FormatInt(max(total-l.MemoryMax, 0), 10)}
}

func period(l Limits) int64 {
	if l.CPUPeriod == 0 {
		return 100_000 // the kernel's default
	}
	return l.CPUPeriod
}

func cpuPeriod(l Limits) []string {
	if l.CPUQuota <= 0 && l.CPUPeriod == 0 {
		return nil
	}
	return positive(period(l))
}

func cpuQuota(l Limits) []string { return positive(l.CPUQuota) }

func cpuMax(l Limits) []string {
	switch {
	case l.CPUQuota > 0:
		return []string{fmt.Sprintf("%d %d", l.CPUQuota, period(l))}
	case l.CPUPeriod > 0:
		return []string{fmt.Sprintf("max %d", l.CPUPeriod)}
	}
	return nil
}

func cpuShares(l Limits) []string { return positive(int64(l.CPUShares)) }

// cpuWeight translates v1's shares (2 to 262144, usually 1024) to v2's weight
// (1 to 10000, usually 100). A straight line through the ends would make of the
// usual 1024 an unusual 39, as Docker did for years. This curve, runc's since
// 1.3.2, goes through all three points.
func cpuWeight(l Limits) []string {
	if l.CPUShares == 0 {
		return nil
	}
	x := math.Log2(float64(l.CPUShares))
	weight := math.Ceil(math.Pow(10, (x*x+125*x)/612-7.0/34))
	return []string{strconv.Itoa(int(min(weight, 10_000)))}
}

func blkioWeight(l Limits) []string { return positive(int64(l.IOWeight)) }

// ioWeight stretches Docker's 10 to 1000 to v2's 1 to 10000, like runc.
func ioWeight(l Limits) []string {
	if l.IOWeight == 0 {
		return nil
	}
	return []string{fmt.Sprintf("default %d", 1+(int(l.IOWeight)-10)*9999/990)}
}

func ioMax(l Limits) []string {
	var lines []string
	for _, d := range l.IO {
		line := fmt.Sprintf("%d:%d", d.Major, d.Minor)
		for _, v := range []struct {
			key string
			max uint64
		}{{"rbps", d.ReadBPS}, {"wbps", d.WriteBPS}, {"riops", d.ReadIOPS}, {"wiops", d.WriteIOPS}} {
			if v.max > 0 {
				line += fmt.Sprintf(" %s=%d", v.key, v.max)
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// throttle is v1's way: a file for each thing that io.max says in one line.
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
