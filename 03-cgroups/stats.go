package cgroups

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Stats is what a group, with the groups below it, has used. What the kernel
// does not count here is zero.
type Stats struct {
	Memory   MemoryStats
	CPU      CPUStats
	Pids     PidsStats
	IO       []IOStats // for each disk
	OOMKills uint64
}

// MemoryStats counts bytes.
type MemoryStats struct {
	Current  uint64            // in use, with the page cache
	Inactive uint64            // the page cache not used lately; docker stats shows Current without it
	Peak     uint64            // the most that was in use; on v2 since Linux 5.19
	Max      uint64            // the limit; 0: none
	Swap     uint64            // swapped out
	Detail   map[string]uint64 // memory.stat; its keys differ between v1 and v2
}

// CPUStats counts processor time.
type CPUStats struct {
	Usage, User, System time.Duration
	Periods, Throttled  uint64        // periods with a quota, and those in which it was used up
	ThrottledTime       time.Duration // waited for the next period
}

// PidsStats counts processes and threads.
type PidsStats struct {
	Current uint64
	Max     uint64 // 0: no limit
}

// IOStats counts what went to and from one block device.
type IOStats struct {
	Major, Minor          int64
	ReadBytes, WriteBytes uint64
	Reads, Writes         uint64 // operations
}

// Stats reads all counters, one after the other: they are not of one instant.
func (g Group) Stats() (Stats, error) {
	var s Stats
	if !slices.ContainsFunc(g.Paths, exists) {
		return s, &os.PathError{Op: "read statistics", Path: strings.Join(g.Paths, " "), Err: os.ErrNotExist}
	}
	s.Memory = g.memoryStats()
	s.CPU = CPUStats{
		Usage:         g.duration("cpuacct.usage", "cpu.stat usage_usec"),
		User:          g.duration("cpuacct.usage_user", "cpu.stat user_usec"),
		System:        g.duration("cpuacct.usage_sys", "cpu.stat system_usec"),
		Periods:       g.first("cpu.stat nr_periods"),
		Throttled:     g.first("cpu.stat nr_throttled"),
		ThrottledTime: g.duration("cpu.stat throttled_time", "cpu.stat throttled_usec"),
	}
	s.Pids = PidsStats{Current: g.first("pids.current"), Max: g.first("pids.max")}
	s.IO = g.ioStats()
	s.OOMKills, _ = g.OOMKills() // without a memory controller nothing is killed
	return s, nil
}

func (g Group) memoryStats() MemoryStats {
	m := MemoryStats{
		Current: g.first("memory.current", "memory.usage_in_bytes"),
		Peak:    g.first("memory.peak", "memory.max_usage_in_bytes"),
		Max:     g.first("memory.max", "memory.limit_in_bytes"),
		// v1 counts the groups below only in the keys that begin with total_.
		Swap:     g.first("memory.swap.current", "memory.stat total_swap"),
		Inactive: g.first("memory.stat total_inactive_file", "memory.stat inactive_file"),
	}
	if m.Max > 1<<60 { // v1 says "no limit" like this
		m.Max = 0
	}
	if file, err := g.file("memory.stat"); err == nil {
		m.Detail, _ = readKeys(file)
	}
	return m
}

// OOMKills counts the processes that the kernel has killed because the group
// was out of memory (v1: since Linux 4.13).
func (g Group) OOMKills() (uint64, error) {
	file, err := g.file("memory.events", "memory.oom_control")
	if err != nil {
		return 0, err
	}
	keys, err := readKeys(file)
	return keys["oom_kill"], err
}

// first reads the first of the sources that exists; 0 if none does, or if it
// says "max". A source is a file that holds a number, or a file and a key in it.
func (g Group) first(sources ...string) uint64 {
	for _, source := range sources {
		name, key, keyed := strings.Cut(source, " ")
		for _, p := range g.Paths {
			file := filepath.Join(p, name)
			if keyed {
				if keys, err := readKeys(file); err == nil && has(keys, key) {
					return keys[key]
				}
			} else if text, err := os.ReadFile(file); err == nil {
				n, _ := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
				return n
			}
		}
	}
	return 0
}

func has(keys map[string]uint64, key string) bool {
	_, ok := keys[key]
	return ok
}

// duration is first in time: v2 counts microseconds and says so, v1 nanoseconds.
func (g Group) duration(v1, v2 string) time.Duration {
	if n := g.first(v1); n > 0 {
		return time.Duration(n)
	}
	return time.Duration(g.first(v2)) * time.Microsecond
}

// readKeys reads a file of lines "key number".
func readKeys(file string) (map[string]uint64, error) {
	keys := map[string]uint64{}
	_, err := readLines(file, func(line string) (int, bool) {
		key, value, _ := strings.Cut(line, " ")
		if n, err := strconv.ParseUint(value, 10, 64); err == nil {
			keys[key] = n
		}
		return 0, false
	})
	return keys, err
}

// ioStats reads v2's io.stat, or v1's two files of the throttling layer, which
// sees every request whatever the scheduler.
func (g Group) ioStats() []IOStats {
	var all []IOStats
	for _, name := range []string{"io.stat", "blkio.throttle.io_service_bytes", "blkio.throttle.io_serviced"} {
		file, err := g.file(name)
		if err != nil {
			continue
		}
		lines, _ := readLines(file, func(line string) ([]string, bool) { return strings.Fields(line), true })
		for _, fields := range lines {
			if name != "io.stat" && len(fields) == 3 {
				fields = []string{fields[0], name + " " + fields[1] + "=" + fields[2]}
			}
			all = addIO(all, fields)
		}
	}
	return all
}

// addIO adds the counters in the fields of a line to those of its disk:
//
//	v2  8:0 rbytes=90112 wbytes=0 rios=3 wios=0 dbytes=0 dios=0
//	v1  8:0 Read 90112      (here: 8:0 "blkio.throttle.io_service_bytes Read=90112")
//	    Total 90112
func addIO(all []IOStats, fields []string) []IOStats {
	var d IOStats
	if _, err := fmt.Sscanf(fields[0], "%d:%d", &d.Major, &d.Minor); err != nil {
		return all
	}
	i := slices.IndexFunc(all, func(o IOStats) bool { return o.Major == d.Major && o.Minor == d.Minor })
	if i < 0 {
		i, all = len(all), append(all, d)
	}
	counters := map[string]*uint64{
		"rbytes": &all[i].ReadBytes, "blkio.throttle.io_service_bytes Read": &all[i].ReadBytes,
		"wbytes": &all[i].WriteBytes, "blkio.throttle.io_service_bytes Write": &all[i].WriteBytes,
		"rios": &all[i].Reads, "blkio.throttle.io_serviced Read": &all[i].Reads,
		"wios": &all[i].Writes, "blkio.throttle.io_serviced Write": &all[i].Writes,
	}
	for _, f := range fields[1:] {
		key, value, _ := strings.Cut(f, "=")
		if to := counters[key]; to != nil {
			*to, _ = strconv.ParseUint(value, 10, 64)
		}
	}
	return all
}
