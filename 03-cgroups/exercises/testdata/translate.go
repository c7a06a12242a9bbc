package cgroups

import (
	"cmp"
	"fmt"
	"strconv"
)

// swapAsInV1 writes the same number to both.
//
// Caught by: memory.swap.max
func swapAsInV1(l Limits, v Version) string {
	return decimal(cmp.Or(l.MemorySwap, max(2*l.MemoryMax, -1)), v)
}

// swapAsInV2 writes the same number to both.
//
// Caught by: memory.memsw.limit_in_bytes
func swapAsInV2(l Limits, _ Version) string {
	return strconv.FormatInt(max(l.MemorySwap-l.MemoryMax, 0), 10)
}

// swapOnDemand forgets that memory without a limit of swap is hardly limited at all.
//
// Caught by: memory.memsw.limit_in_bytes
func swapOnDemand(l Limits, v Version) string {
	if v == V2 && l.MemorySwap > 0 {
		return strconv.FormatInt(l.MemorySwap-l.MemoryMax, 10)
	}
	return decimal(l.MemorySwap, v)
}

// swapZeroIsNothing takes no swap for no limit.
//
// Caught by: memory.swap.max
func swapZeroIsNothing(l Limits, v Version) string {
	total := cmp.Or(l.MemorySwap, max(2*l.MemoryMax, -1))
	if v == V2 && total > 0 {
		return decimal(total-l.MemoryMax, v)
	}
	return decimal(total, v)
}

// cpuMaxAlone leaves the period out.
//
// Caught by: cpu.max
func cpuMaxAlone(l Limits, v Version) string { return decimal(l.CPUQuota, v) }

// cpuMaxOfZero writes a quota that nobody asked for.
//
// Caught by: cpu.max
func cpuMaxOfZero(l Limits, v Version) string {
	quota := decimal(l.CPUQuota, v)
	if v == V1 || quota == "" && l.CPUPeriod == 0 {
		return quota
	}
	return fmt.Sprintf("%d %d", l.CPUQuota, cmp.Or(l.CPUPeriod, 100_000))
}
