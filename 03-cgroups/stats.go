package cgroups

import (
	"cmp"
	"fmt"
	"maps"
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
	Pids     uint64    // processes and threads
	IO       []IOStats // for each disk
	OOMKills uint64
}

// MemoryStats counts bytes.
type MemoryStats struct {
	Current  uint64 // in use, with the page cache
	Inactive uint64 // the page cache not used lately; docker stats shows Current without it
	Peak     uint64 // the most that was in use; on v2 since Linux 5.19
	Max      uint64 // the limit; 0: none
	Swap     uint64 // swapped out
}

// CPUStats counts processor time.
type CPUStats struct {
	Usage, User, System time.Duration
	Periods, Throttled  uint64        // periods with a quota, and those in which it was used up
	ThrottledTime       time.Duration // waited for the next period
}

// IOStats counts what went to and from one block device.
type IOStats struct {
	Disk                  string // "8:0", its major and minor number
	ReadBytes, WriteBytes uint64
	Reads, Writes         uint64 // operations
}

// Stats reads all counters, one after the other: they are not of one instant.
// Each is at its place in v2 or at its place in v1.
func (g Group) Stats() (Stats, error) {
	if !slices.ContainsFunc(g.Paths, exists) {
		return Stats{}, &os.PathError{Op: "read statistics", Path: strings.Join(g.Paths, " "), Err: os.ErrNotExist}
	}
	c := counters{g.Paths, map[string]map[string]string{}}
	s := Stats{
		Memory: MemoryStats{
			Current:  c.first("memory.current", "memory.usage_in_bytes"),
			Inactive: c.first("memory.stat total_inactive_file", "memory.stat inactive_file"), // v1 counts the groups below
			Peak:     c.first("memory.peak", "memory.max_usage_in_bytes"),
			Max:      c.first("memory.max", "memory.limit_in_bytes"),
			Swap:     c.first("memory.swap.current", "memory.stat total_swap"), // only in the keys that begin with total_
		},
		CPU: CPUStats{
			Usage:         c.duration("cpu.stat usage_usec", "cpuacct.usage"),
			User:          c.duration("cpu.stat user_usec", "cpuacct.usage_user"),
			System:        c.duration("cpu.stat system_usec", "cpuacct.usage_sys"),
			Periods:       c.first("cpu.stat nr_periods"),
			Throttled:     c.first("cpu.stat nr_throttled"),
			ThrottledTime: c.duration("cpu.stat throttled_usec", "cpu.stat throttled_time"),
		},
		Pids:     c.first("pids.current"),
		OOMKills: c.first(oomKills...),
	}
	const v1Bytes, v1Operations = "blkio.throttle.io_service_bytes_recursive ", "blkio.throttle.io_serviced_recursive "
	for _, disk := range c.disks("io.stat", strings.TrimSpace(v1Bytes)) {
		s.IO = append(s.IO, IOStats{
			Disk:       disk,
			ReadBytes:  c.first("io.stat "+disk+" rbytes", v1Bytes+disk+" Read"),
			WriteBytes: c.first("io.stat "+disk+" wbytes", v1Bytes+disk+" Write"),
			Reads:      c.first("io.stat "+disk+" rios", v1Operations+disk+" Read"),
			Writes:     c.first("io.stat "+disk+" wios", v1Operations+disk+" Write"),
		})
	}
	return s, nil
}

var oomKills = []string{"memory.events oom_kill", "memory.oom_control oom_kill"}

// OOMKills counts the processes that the kernel has killed because the group
// was out of memory (v1: since Linux 4.13).
func (g Group) OOMKills() (uint64, error) {
	if _, err := g.file("memory.events", "memory.oom_control"); err != nil {
		return 0, err
	}
	return g.counter(oomKills...), nil
}

// counters reads each file of a group once.
type counters struct {
	paths []string
	seen  map[string]map[string]string
}

// counter reads only one.
func (g Group) counter(sources ...string) uint64 {
	return counters{g.Paths, map[string]map[string]string{}}.first(sources...)
}

// first reads the first of the sources that exists; 0 if none does, or if it
// means "no limit": "max", in v1 a number near 2⁶³. A source is a file of one
// number, or a file and a key in it.
func (c counters) first(sources ...string) uint64 {
	for _, source := range sources {
		name, key, _ := strings.Cut(source, " ")
		if text, ok := c.read(name)[key]; ok {
			if n, _ := strconv.ParseUint(text, 10, 64); n < 1<<60 {
				return n
			}
			return 0
		}
	}
	return 0
}

// duration is first in time: v2 counts microseconds and says so, v1 nanoseconds.
func (c counters) duration(v2, v1 string) time.Duration {
	return time.Duration(cmp.Or(c.first(v1), 1000*c.first(v2)))
}

// disks lists the devices for which the files have counters.
func (c counters) disks(files ...string) []string {
	var all []string
	for _, f := range files {
		for key := range c.read(f) {
			if disk, _, keyed := strings.Cut(key, " "); keyed {
				all = append(all, disk)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// read merges the files of this name: each hierarchy has other keys.
func (c counters) read(name string) map[string]string {
	if c.seen[name] == nil {
		c.seen[name] = map[string]string{}
		for _, p := range c.paths {
			keys, _ := readKeys(filepath.Join(p, name))
			maps.Copy(c.seen[name], keys)
		}
	}
	return c.seen[name]
}

// readKeys reads a file of the kernel's, whatever its shape, as keys and values:
//
//	4096                        ""           4096
//	oom_kill 1                  "oom_kill"   1
//	8:0 Read 90112              "8:0 Read"   90112
//	8:0 rbytes=90112 wbytes=0   "8:0 rbytes" 90112, "8:0 wbytes" 0
func readKeys(file string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	keys := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		name, rest, _ := strings.Cut(line, " ")
		for word := range strings.FieldsSeq(rest) {
			if key, value, ok := strings.Cut(word, "="); ok {
				keys[name+" "+key] = value
			}
		}
		if !strings.Contains(line, "=") {
			at := strings.LastIndex(line, " ")
			keys[line[:max(at, 0)]] = line[at+1:]
		}
	}
	return keys, err
}

// Pressure says how much time processes of a group lost by waiting for one
// resource: what a usage of 100% does not tell (PSI, accounting/psi.rst).
type Pressure struct {
	Some Stall // at least one process waited
	Full Stall // all that had something to do waited
}

// Stall is time lost.
type Stall struct {
	Avg10, Avg60, Avg300 float64       // percent of the last 10, 60 and 300 seconds
	Total                time.Duration // since the group was made
}

// Pressure reads the pressure on "cpu", "memory" or "io". It needs v2 (hybrid
// will do) and CONFIG_PSI; without, the error is fs.ErrNotExist or ENOTSUP.
func (g Group) Pressure(resource string) (Pressure, error) {
	file, err := g.file(resource + ".pressure")
	if err != nil {
		return Pressure{}, err
	}
	keys, err := readKeys(file)
	return Pressure{Some: stall(keys, "some"), Full: stall(keys, "full")}, err
}

// stall is one line of a pressure file:
//
//	some avg10=0.00 avg60=1.53 avg300=0.31 total=190352
func stall(keys map[string]string, kind string) Stall {
	line := fmt.Sprint(keys[kind+" avg10"], " ", keys[kind+" avg60"], " ", keys[kind+" avg300"], " ", keys[kind+" total"])
	var s Stall
	_, _ = fmt.Sscan(line, &s.Avg10, &s.Avg60, &s.Avg300, &s.Total) // microseconds, for a moment
	s.Total *= time.Microsecond
	return s
}
