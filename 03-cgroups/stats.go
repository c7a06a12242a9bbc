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
	c := g.counters()
	s.Memory = c.memory()
	s.CPU = CPUStats{
		Usage:         c.duration("cpuacct.usage", "cpu.stat usage_usec"),
		User:          c.duration("cpuacct.usage_user", "cpu.stat user_usec"),
		System:        c.duration("cpuacct.usage_sys", "cpu.stat system_usec"),
		Periods:       c.first("cpu.stat nr_periods"),
		Throttled:     c.first("cpu.stat nr_throttled"),
		ThrottledTime: c.duration("cpu.stat throttled_time", "cpu.stat throttled_usec"),
	}
	s.Pids = PidsStats{Current: c.first("pids.current"), Max: c.first("pids.max")}
	s.IO = g.ioStats()
	s.OOMKills = c.first(oomKills...)
	return s, nil
}

var oomKills = []string{"memory.events oom_kill", "memory.oom_control oom_kill"}

// OOMKills counts the processes that the kernel has killed because the group
// was out of memory (v1: since Linux 4.13).
func (g Group) OOMKills() (uint64, error) {
	if _, err := g.file("memory.events", "memory.oom_control"); err != nil {
		return 0, err
	}
	return g.counters().first(oomKills...), nil
}

// counters reads each file of a group once.
type counters struct {
	paths []string
	seen  map[string]map[string]uint64
}

func (g Group) counters() counters { return counters{g.Paths, map[string]map[string]uint64{}} }

// first reads the first of the sources that exists; 0 if none does, or if it
// says "max". A source is a file of one number, or a file and a key in it.
func (c counters) first(sources ...string) uint64 {
	for _, source := range sources {
		name, key, _ := strings.Cut(source, " ")
		for _, p := range c.paths {
			if n, ok := c.read(filepath.Join(p, name))[key]; ok {
				return n
			}
		}
	}
	return 0
}

// duration is first in time: v2 counts microseconds and says so, v1 nanoseconds.
func (c counters) duration(v1, v2 string) time.Duration {
	if n := c.first(v1); n > 0 {
		return time.Duration(n)
	}
	return time.Duration(c.first(v2)) * time.Microsecond
}

func (c counters) read(file string) map[string]uint64 {
	if _, seen := c.seen[file]; !seen {
		c.seen[file], _ = readKeys(file)
	}
	return c.seen[file]
}

// readKeys reads a file of lines "key number", or of one number, whose key is "".
func readKeys(file string) (map[string]uint64, error) {
	keys := map[string]uint64{}
	_, err := readLines(file, func(line string) (int, bool) {
		key, value, keyed := strings.Cut(line, " ")
		if !keyed {
			key, value = "", line
		}
		if n, err := strconv.ParseUint(value, 10, 64); err == nil {
			keys[key] = n
		}
		return 0, false
	})
	return keys, err
}

func (c counters) memory() MemoryStats {
	m := MemoryStats{
		Current: c.first("memory.current", "memory.usage_in_bytes"),
		Peak:    c.first("memory.peak", "memory.max_usage_in_bytes"),
		Max:     c.first("memory.max", "memory.limit_in_bytes"),
		// v1 counts the groups below only in the keys that begin with total_.
		Swap:     c.first("memory.swap.current", "memory.stat total_swap"),
		Inactive: c.first("memory.stat total_inactive_file", "memory.stat inactive_file"),
	}
	if m.Max > 1<<60 { // v1 says "no limit" like this
		m.Max = 0
	}
	for _, p := range c.paths {
		if keys := c.read(filepath.Join(p, "memory.stat")); len(keys) > 0 {
			m.Detail = keys
		}
	}
	return m
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
