package cgroups

import (
	"cmp"
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
// Each is at its place in v2 or at its place in v1. v2 counts microseconds, v1
// nanoseconds.
func (g Group) Stats() (Stats, error) {
	if !slices.ContainsFunc(g.Paths, exists) {
		return Stats{}, &os.PathError{Op: "read statistics", Path: strings.Join(g.Paths, " "), Err: os.ErrNotExist}
	}
	memory, cpu := g.count("memory.stat"), g.count("cpu.stat")
	kills, _ := g.OOMKills()
	s := Stats{
		Memory: MemoryStats{
			Current:  g.number("memory.current", "memory.usage_in_bytes"),
			Inactive: cmp.Or(memory["total_inactive_file"], memory["inactive_file"]), // v1 counts the groups below in total_
			Peak:     g.number("memory.peak", "memory.max_usage_in_bytes"),
			Max:      g.number("memory.max", "memory.limit_in_bytes"),
			Swap:     cmp.Or(memory["total_swap"], g.number("memory.swap.current")),
		},
		CPU: CPUStats{
			Usage:         time.Duration(cmp.Or(g.number("cpuacct.usage"), 1000*cpu["usage_usec"])),
			User:          time.Duration(cmp.Or(g.number("cpuacct.usage_user"), 1000*cpu["user_usec"])),
			System:        time.Duration(cmp.Or(g.number("cpuacct.usage_sys"), 1000*cpu["system_usec"])),
			Periods:       cpu["nr_periods"],
			Throttled:     cpu["nr_throttled"],
			ThrottledTime: time.Duration(cmp.Or(cpu["throttled_time"], 1000*cpu["throttled_usec"])),
		},
		Pids:     g.number("pids.current"),
		OOMKills: kills,
	}
	io, operations := g.count("io.stat", "blkio.throttle.io_service_bytes_recursive"), g.count("blkio.throttle.io_serviced_recursive")
	for _, key := range slices.Sorted(maps.Keys(io)) {
		disk, what, _ := strings.Cut(key, " ")
		if what != "rbytes" && what != "Read" { // one key of each disk
			continue
		}
		s.IO = append(s.IO, IOStats{
			Disk:       disk,
			ReadBytes:  cmp.Or(io[disk+" rbytes"], io[disk+" Read"]),
			WriteBytes: cmp.Or(io[disk+" wbytes"], io[disk+" Write"]),
			Reads:      cmp.Or(io[disk+" rios"], operations[disk+" Read"]),
			Writes:     cmp.Or(io[disk+" wios"], operations[disk+" Write"]),
		})
	}
	return s, nil
}

// OOMKills counts the processes that the kernel has killed because the group
// was out of memory (v1: since Linux 4.13).
func (g Group) OOMKills() (uint64, error) {
	file, err := g.file("memory.events", "memory.oom_control")
	if err != nil {
		return 0, err
	}
	keys, err := readKeys(file)
	n, _ := strconv.ParseUint(keys["oom_kill"], 10, 64) // without keys there is an error already
	return n, err
}

// count reads the files of these names, in whichever hierarchy they are, as keys
// and numbers. What means "no limit" is left out: "max", in v1 a number near 2⁶³.
func (g Group) count(names ...string) map[string]uint64 {
	all := map[string]uint64{}
	for _, name := range names {
		for _, p := range g.Paths {
			keys, _ := readKeys(filepath.Join(p, name))
			for key, text := range keys {
				if n, err := strconv.ParseUint(text, 10, 64); err == nil && n < 1<<60 {
					all[key] = n
				}
			}
		}
	}
	return all
}

// number is count for a file of one number.
func (g Group) number(names ...string) uint64 { return g.count(names...)[""] }

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

// Pressure is time that processes of a group lost by waiting for one resource,
// since the group was made: what a usage of 100% does not tell (PSI,
// accounting/psi.rst). Who wants to know it of the last seconds, looks twice.
type Pressure struct {
	Some time.Duration // at least one process waited
	Full time.Duration // all that had something to do waited
}

// Pressure reads the pressure on "cpu", "memory" or "io". It needs v2 (hybrid
// will do) and CONFIG_PSI; without, the error is fs.ErrNotExist or ENOTSUP.
//
//	some avg10=0.00 avg60=1.53 avg300=0.31 total=190352   microseconds
func (g Group) Pressure(resource string) (Pressure, error) {
	file, err := g.file(resource + ".pressure")
	if err != nil {
		return Pressure{}, err
	}
	keys, err := readKeys(file)
	some, _ := time.ParseDuration(keys["some total"] + "us")
	full, _ := time.ParseDuration(keys["full total"] + "us") // on the processor since Linux 5.13
	return Pressure{some, full}, err
}
