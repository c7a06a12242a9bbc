package cgroups

import (
	"cmp"
	"fmt"
)

// swapAsInV1 says the same number in both.
//
// Caught by: memory.swap.max
func (l Limits) swapAsInV1() (v2, v1 string) {
	total := cmp.Or(l.MemorySwap, max(2*l.MemoryMax, -1))
	return orMax(total), fmt.Sprint(total)
}

// swapAsInV2 says the same number in both.
//
// Caught by: memory.memsw.limit_in_bytes
func (l Limits) swapAsInV2() (v2, v1 string) {
	alone := fmt.Sprint(max(l.MemorySwap-l.MemoryMax, 0))
	return alone, alone
}

// swapOnDemand forgets that memory without a limit of swap is hardly limited at all.
//
// Caught by: memory.memsw.limit_in_bytes
func (l Limits) swapOnDemand() (v2, v1 string) {
	if l.MemorySwap <= 0 {
		return "max", "-1"
	}
	return fmt.Sprint(l.MemorySwap - l.MemoryMax), fmt.Sprint(l.MemorySwap)
}

// swapZeroIsNothing takes no swap for no limit.
//
// Caught by: memory.swap.max
func (l Limits) swapZeroIsNothing() (v2, v1 string) {
	total := cmp.Or(l.MemorySwap, max(2*l.MemoryMax, -1))
	if total <= l.MemoryMax {
		return "max", fmt.Sprint(total)
	}
	return fmt.Sprint(total - l.MemoryMax), fmt.Sprint(total)
}

// cpuMaxAlone leaves the period out.
//
// Caught by: cpu.max
func (l Limits) cpuMaxAlone() (v2, v1 string) { return orMax(l.CPUQuota), fmt.Sprint(l.CPUQuota) }

// cpuMaxOfZero leaves a processor no time if nobody asked for a limit of it.
//
// Caught by: cpu.max
func (l Limits) cpuMaxOfZero() (v2, v1 string) {
	return fmt.Sprintf("%s %d", orMax(l.CPUQuota), cmp.Or(l.CPUPeriod, 100_000)), fmt.Sprint(l.CPUQuota)
}
