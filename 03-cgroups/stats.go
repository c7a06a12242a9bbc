package cgroups

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Stats is what a group has used. A part whose controller is missing is zero.
type Stats struct {
	Memory   MemoryStats
	CPU      CPUStats
	Pids     PidsStats
	IO       []IOStats // for each disk
	OOMKills uint64
}

// MemoryStats counts bytes.
type MemoryStats struct {
	Current uint64            // in use, page cache included
	Peak    uint64            // the most that was ever in use; v2 since Linux 5.19
	Max     uint64            // the limit; 0: none
	Swap    uint64            // in swap
	Cache   uint64            // page cache not used lately; docker stats subtracts it from Current
	Detail  map[string]uint64 // memory.stat, whose keys differ between v1 and v2
}

// CPUStats counts processor time.
type CPUStats struct {
	Usage, User, System time.Duration
	Periods, Throttled  uint64        // periods with a quota; those in which it was used up
	ThrottledTime       time.Duration // spent waiting for the next period
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

// Stats reads all counters. They are not of the same instant.
func (g Group) Stats() (Stats, error) {
	var s Stats
	err := errors.Join(g.memoryStats(&s.Memory), g.cpuStats(&s.CPU), g.pidsStats(&s.Pids))
	var ioErr, oomErr error
	s.IO, ioErr = g.ioStats()
	s.OOMKills, oomErr = g.OOMKills()
	return s, errors.Join(err, ignoreGone(ioErr), ignoreGone(oomErr))
}

// OOMKills counts the processes that the kernel killed because the group was out
// of memory: memory.events on v2, memory.oom_control on v1 (since Linux 4.13).
func (g Group) OOMKills() (uint64, error) {
	keys, err := g.keys("memory.events", "memory.oom_control")
	return keys["oom_kill"], err
}

func (g Group) memoryStats(m *MemoryStats) error {
	err := g.numbers([]counter{
		{&m.Current, "memory.current", "memory.usage_in_bytes"},
		{&m.Peak, "memory.peak", "memory.max_usage_in_bytes"},
		{&m.Max, "memory.max", "memory.limit_in_bytes"},
		{&m.Swap, "memory.swap.current", ""},
	})
	if m.Max > 1<<60 { // v1's way to say that there is none
		m.Max = 0
	}
	var detailErr error
	m.Detail, detailErr = g.keys("memory.stat")
	m.Cache = m.Detail["inactive_file"]
	if _, v1 := m.Detail["total_rss"]; v1 { // there "total_" includes the groups below
		m.Swap, m.Cache = m.Detail["total_swap"], m.Detail["total_inactive_file"]
	}
	return errors.Join(err, ignoreGone(detailErr))
}

// cpuStats reads v2's cpu.stat, in microseconds, or v1's cpu.stat and
// cpuacct.usage, in nanoseconds. A hybrid system has a cpu.stat in both trees.
func (g Group) cpuStats(c *CPUStats) error {
	for _, p := range g.Paths {
		stat, err := readKeys(filepath.Join(p, "cpu.stat"))
		if ignoreGone(err) != nil {
			return err
		}
		c.Usage = max(c.Usage, micro(stat["usage_usec"]))
		c.User = max(c.User, micro(stat["user_usec"]))
		c.System = max(c.System, micro(stat["system_usec"]))
		c.Periods = max(c.Periods, stat["nr_periods"])
		c.Throttled = max(c.Throttled, stat["nr_throttled"])
		c.ThrottledTime = max(c.ThrottledTime, micro(stat["throttled_usec"]), time.Duration(stat["throttled_time"]))
	}
	if c.Usage > 0 {
		return nil
	}
	var usage, user, system uint64
	err := g.numbers([]counter{
		{&usage, "", "cpuacct.usage"}, {&user, "", "cpuacct.usage_user"}, {&system, "", "cpuacct.usage_sys"},
	})
	c.Usage, c.User, c.System = time.Duration(usage), time.Duration(user), time.Duration(system)
	return err
}

func micro(usec uint64) time.Duration { return time.Duration(usec) * time.Microsecond }

func (g Group) pidsStats(p *PidsStats) error {
	return g.numbers([]counter{{&p.Current, "pids.current", ""}, {&p.Max, "pids.max", ""}})
}

// ioStats reads io.stat of v2, or of v1 the two files of the throttling layer,
// which sees every request whatever the scheduler.
func (g Group) ioStats() ([]IOStats, error) {
	if file, err := g.file("io.stat"); err == nil {
		return readLines(file, parseIOStat)
	}
	disks := map[[2]int64]*IOStats{}
	var err error
	for _, name := range []string{"blkio.throttle.io_service_bytes", "blkio.throttle.io_serviced"} {
		file, findErr := g.file(name)
		if findErr != nil {
			continue
		}
		_, readErr := readLines(file, func(line string) (int, bool) {
			addBlkio(disks, name, line)
			return 0, false
		})
		err = errors.Join(err, readErr)
	}
	var all []IOStats
	for _, d := range disks {
		all = append(all, *d)
	}
	slices.SortFunc(all, func(a, b IOStats) int { return cmp.Or(cmp.Compare(a.Major, b.Major), cmp.Compare(a.Minor, b.Minor)) })
	return all, err
}

// parseIOStat reads a line of v2's io.stat:
//
//	8:0 rbytes=90112 wbytes=0 rios=3 wios=0 dbytes=0 dios=0
func parseIOStat(line string) (IOStats, bool) {
	var s IOStats
	n, _ := fmt.Sscanf(line, "%d:%d rbytes=%d wbytes=%d rios=%d wios=%d",
		&s.Major, &s.Minor, &s.ReadBytes, &s.WriteBytes, &s.Reads, &s.Writes)
	return s, n == 6
}

// addBlkio reads a line of v1's blkio.throttle.io_service_bytes or …io_serviced:
//
//	8:0 Read 90112
func addBlkio(disks map[[2]int64]*IOStats, file, line string) {
	var dev [2]int64
	var op string
	var n uint64
	if got, _ := fmt.Sscanf(line, "%d:%d %s %d", &dev[0], &dev[1], &op, &n); got != 4 {
		return // "Total 90112"
	}
	if disks[dev] == nil {
		disks[dev] = &IOStats{Major: dev[0], Minor: dev[1]}
	}
	d := disks[dev]
	switch file + " " + op {
	case "blkio.throttle.io_service_bytes Read":
		d.ReadBytes = n
	case "blkio.throttle.io_service_bytes Write":
		d.WriteBytes = n
	case "blkio.throttle.io_serviced Read":
		d.Reads = n
	case "blkio.throttle.io_serviced Write":
		d.Writes = n
	}
}

// counter says in which file a number is, in v2 and in v1.
type counter struct {
	to     *uint64
	v2, v1 string
}

// numbers reads files of one number. A missing file leaves zero, and so does "max".
func (g Group) numbers(counters []counter) error {
	for _, c := range counters {
		file, err := g.file(slices.DeleteFunc([]string{c.v2, c.v1}, func(s string) bool { return s == "" })...)
		if err != nil {
			continue
		}
		text, err := os.ReadFile(file)
		if ignoreGone(err) != nil {
			return err
		}
		*c.to, _ = strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	}
	return nil
}

// keys reads the first of the files that exists.
func (g Group) keys(names ...string) (map[string]uint64, error) {
	file, err := g.file(names...)
	if err != nil {
		return nil, err
	}
	return readKeys(file)
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
