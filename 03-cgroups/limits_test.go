package cgroups

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// both are two machines that do not exist; nothing is done to them.
var both = map[string]*System{
	"v2": {Hierarchies: []Hierarchy{{Version: V2, Base: "/v2",
		Controllers: []string{"cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma"}}}},
	"v1": {Hierarchies: []Hierarchy{
		{Version: V1, Base: "/v1/memory", Controllers: []string{"memory"}},
		{Version: V1, Base: "/v1/cpu", Controllers: []string{"cpu", "cpuacct"}},
		{Version: V1, Base: "/v1/cpuset", Controllers: []string{"cpuset"}},
		{Version: V1, Base: "/v1/blkio", Controllers: []string{"blkio"}},
		{Version: V1, Base: "/v1/pids", Controllers: []string{"pids"}},
		{Version: V1, Base: "/v1/hugetlb", Controllers: []string{"hugetlb"}},
		{Version: V1, Base: "/v1/devices", Controllers: []string{"devices"}},
	}},
}

// said is the limits in a language, as "file=value value".
func said(t *testing.T, version string, l Limits) string {
	t.Helper()
	steps, err := both[version].translate("g", l)
	require.NoError(t, err)
	var words []string
	for _, s := range steps {
		set := s.(Set)
		words = append(words, set.Path[strings.LastIndex(set.Path, "/")+1:]+"="+set.Value)
	}
	return strings.Join(words, "; ")
}

func TestOneLimitIsSaidInTwoLanguages(t *testing.T) {
	for name, row := range map[string]struct {
		limits Limits
		v2, v1 string
	}{
		"nothing": {},
		"memory takes as much swap with it": {Limits{MemoryMax: 1000},
			"memory.max=1000; memory.swap.max=1000", "memory.limit_in_bytes=1000; memory.memsw.limit_in_bytes=2000"},
		"memory without swap": {Limits{MemoryMax: 1000, MemorySwap: 1000},
			"memory.max=1000; memory.swap.max=0", "memory.limit_in_bytes=1000; memory.memsw.limit_in_bytes=1000"},
		"memory with all swap": {Limits{MemoryMax: 1000, MemorySwap: -1},
			"memory.max=1000; memory.swap.max=max", "memory.limit_in_bytes=1000; memory.memsw.limit_in_bytes=-1"},
		"memory no longer limited": {Limits{MemoryMax: -1},
			"memory.max=max; memory.swap.max=max", "memory.limit_in_bytes=-1; memory.memsw.limit_in_bytes=-1"},
		"memory reservation": {Limits{MemoryLow: 7}, "memory.low=7", "memory.soft_limit_in_bytes=7"},
		"half a processor":   {Limits{CPUQuota: 50000}, "cpu.max=50000 100000", "cpu.cfs_quota_us=50000"},
		"a quota and its period": {Limits{CPUQuota: 5000, CPUPeriod: 10000},
			"cpu.max=5000 10000", "cpu.cfs_period_us=10000; cpu.cfs_quota_us=5000"},
		"a period alone": {Limits{CPUPeriod: 10000}, "cpu.max=max 10000", "cpu.cfs_period_us=10000; cpu.cfs_quota_us=-1"},
		"quota no more":  {Limits{CPUQuota: -1}, "cpu.max=max 100000", "cpu.cfs_quota_us=-1"},
		"least shares":   {Limits{CPUShares: 2}, "cpu.weight=1", "cpu.shares=2"},
		"usual shares":   {Limits{CPUShares: 1024}, "cpu.weight=100", "cpu.shares=1024"},
		"most shares":    {Limits{CPUShares: 262144}, "cpu.weight=10000", "cpu.shares=262144"},
		"processors":     {Limits{CPUs: "0-2,4", Mems: "0"}, "cpuset.cpus=0-2,4; cpuset.mems=0", "cpuset.cpus=0-2,4; cpuset.mems=0"},
		"processes":      {Limits{PidsMax: 9}, "pids.max=9", "pids.max=9"},
		"all processes":  {Limits{PidsMax: -1}, "pids.max=max", "pids.max=max"},
		"least weight":   {Limits{IOWeight: 10}, "io.weight=default 1", "blkio.bfq.weight=10"},
		"most weight":    {Limits{IOWeight: 1000}, "io.weight=default 10000", "blkio.bfq.weight=1000"},
		"disks": {Limits{IO: []IOLimit{{Major: 8, ReadBPS: 5, WriteIOPS: 6}, {Major: 8, Minor: 16, WriteBPS: 7, ReadIOPS: 8}}},
			"io.max=8:0 rbps=5; io.max=8:0 wiops=6; io.max=8:16 wbps=7; io.max=8:16 riops=8",
			"blkio.throttle.read_bps_device=8:0 5; blkio.throttle.write_iops_device=8:0 6; " +
				"blkio.throttle.write_bps_device=8:16 7; blkio.throttle.read_iops_device=8:16 8"},
		"huge pages": {Limits{HugeTLB: []HugePage{{"2MB", 4 << 20}}}, "hugetlb.2MB.max=4194304", "hugetlb.2MB.limit_in_bytes=4194304"},
		"no huge pages": {Limits{HugeTLB: []HugePage{{"1GB", 0}, {"2MB", -1}}},
			"hugetlb.1GB.max=0; hugetlb.2MB.max=max", "hugetlb.1GB.limit_in_bytes=0; hugetlb.2MB.limit_in_bytes=-1"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, row.v2, said(t, "v2", row.limits))
			require.Equal(t, row.v1, said(t, "v1", row.limits))
		})
	}
}

func TestLimitThatCannotBeHadIsAnError(t *testing.T) {
	_, err := both["v1"].Steps("g", Limits{MemoryHigh: 1})
	require.ErrorContains(t, err, "MemoryHigh: cgroup v1 has nothing like it")
	poor := &System{Hierarchies: []Hierarchy{{Version: V2, Base: "/v2", Controllers: []string{"memory"}}}}
	for name, l := range map[string]Limits{
		"pids": {PidsMax: 1}, "cpu": {CPUQuota: 1000}, "io": {IO: []IOLimit{{ReadBPS: 1}}}, "cpuset": {CPUs: "0"},
		"hugetlb": {HugeTLB: []HugePage{{"2MB", 1}}},
	} {
		_, err := poor.Steps("g", l)
		require.ErrorContains(t, err, `the cgroup controller "`+name+`" is not available`)
	}
	none := &System{Hierarchies: []Hierarchy{{Version: V1, Base: "/v1/memory", Controllers: []string{"memory"}}}}
	_, err = none.Steps("g", Limits{Devices: []DeviceRule{{Type: "a", Access: "r"}}})
	require.ErrorContains(t, err, "limit Devices")
}

func TestNonsenseIsRefused(t *testing.T) {
	for what, l := range map[string]Limits{
		"MemoryMax: below zero only -1 (no limit) has a meaning, not -5": {MemoryMax: -5},
		"PidsMax: below":    {PidsMax: -2},
		"CPUQuota: below":   {CPUQuota: -2},
		"MemorySwap: below": {MemorySwap: -2},
		"MemorySwap":        {MemoryMax: 10, MemorySwap: 9},
		"needs a":           {MemorySwap: 9},
		"huge page size":    {HugeTLB: []HugePage{{"../../x", 1}}},
		`rule "x *:* r"`:    {Devices: []DeviceRule{{Type: "x", Access: "r"}}},
		`rule "c *:* rx"`:   {Devices: []DeviceRule{{Type: "c", Access: "rx"}}},
		`rule "c *:* "`:     {Devices: []DeviceRule{{Type: "c"}}},
		"check device rul":  {Devices: []DeviceRule{{Type: "a", Major: new(int64), Access: "r"}}},
	} {
		_, err := both["v2"].Steps("g", l)
		require.ErrorContains(t, err, what)
	}
	for _, name := range []string{"", ".", "..", "/abs", "a/../../b", "a//b", "a/"} {
		_, err := both["v2"].Steps(name, Limits{})
		require.ErrorContains(t, err, "is not a path below a base")
	}
}

func TestReadBackKnowsRoundingFromRefusal(t *testing.T) {
	page := os.Getpagesize()
	require.Equal(t, 4096, page)
	for _, row := range []struct {
		file, asked, got string
		accepted         bool
	}{
		{"memory.max", "64000001", "64000000", true},
		{"memory.max", "64000000", "63995904", false}, // a whole page less
		{"memory.max", "64000000", "64000001", false},
		{"memory.max", "max", "max", true},
		{"memory.limit_in_bytes", "-1", "9223372036854771712", true},
		{"memory.limit_in_bytes", "-1", "64000000", false},
		{"hugetlb.2MB.max", "5000000", "4194304", true},
		{"hugetlb.2MB.max", "5000000", "2097152", false},
		{"pids.max", "9", "8", false},
		{"cpu.shares", "1", "2", false},
		{"cpu.cfs_quota_us", "-1", "-1", true},
		{"cpuset.cpus", "1,0,3", "0-1,3", true},
		{"cpuset.cpus", "0-1", "0", false},
		{"cpu.max", "max 10000", "max 10000", true},
		{"cpu.max", "50000 100000", "max 100000", false},
		{"io.max", "8:0 rbps=5", "8:0 rbps=5 wbps=max riops=max wiops=max", true},
		{"io.max", "8:0 rbps=5", "8:16 rbps=5 wbps=max riops=max wiops=max", false},
		{"io.weight", "default 7", "default 7", true},
		{"blkio.bfq.weight", "500", "500", true},
	} {
		require.Equal(t, row.accepted, Set{Path: "/x/" + row.file, Value: row.asked}.accepts(row.got), "%+v", row)
	}
}
