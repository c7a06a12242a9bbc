package cgroups

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cutaway/chapters/lab"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const patient = 30 * time.Second // for what takes milliseconds when nobody else uses the machine

func TestLimitsAreInTheKernelAndReadBack(t *testing.T) {
	b := newBox(t, Limits{
		MemoryMax: 64_000_001, MemoryLow: 8 << 20, CPUQuota: 50_000, CPUShares: 512, CPUs: "0", PidsMax: 33,
	})
	require.Equal(t, "64000000\n", b.read("memory.max", "memory.limit_in_bytes"), "whole pages")
	require.Equal(t, "8388608\n", b.read("memory.low", "memory.soft_limit_in_bytes"))
	require.Equal(t, "33\n", b.read("pids.max"))
	require.Equal(t, "0\n", b.read("cpuset.cpus"))
	if b.v2("cpu") {
		require.Equal(t, "50000 100000\n", b.read("cpu.max"))
		require.Equal(t, "59\n", b.read("cpu.weight"))
	} else {
		require.Equal(t, "50000\n", b.read("cpu.cfs_quota_us"))
		require.Equal(t, "512\n", b.read("cpu.shares"))
	}
	set := b.steps[slices.IndexFunc(b.steps, func(s Step) bool { _, ok := s.(Set); return ok })].(Set)
	require.Equal(t, "64000001", set.Value)
	got, err := set.Read()
	require.NoError(t, err)
	require.Equal(t, "64000000", got, "and Read tells")
}

func TestShellCommandsOfTheStepsDoTheSame(t *testing.T) {
	l := Limits{MemoryMax: 32 << 20, CPUQuota: 20_000, CPUs: "0", PidsMax: 12}
	b := newBox(t, l)
	typed := lab.CgroupName(t) + "/typed"
	steps, err := b.sys.Steps(typed, l)
	require.NoError(t, err)
	create := steps[0].(Create)
	t.Cleanup(func() { require.NoError(t, create.Undo()) })
	for _, s := range append(steps, b.sys.Join(typed)) {
		out, err := exec.Command("sh", "-ec", s.String()).CombinedOutput()
		require.NoError(t, err, "%s: %s", s, out)
	}
	for i, dir := range b.Paths {
		files, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, f := range files {
			if !strings.HasSuffix(f.Name(), ".max") && !strings.HasPrefix(f.Name(), "cpuset.") && !strings.Contains(f.Name(), "limit") && !strings.Contains(f.Name(), "cfs") {
				continue
			}
			want, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil || f.Name() == "cpuset.memory_pressure" {
				continue // cannot be read: memory.reclaim, cpuset.memory_pressure_enabled
			}
			got, err := os.ReadFile(filepath.Join(create.Paths[i], f.Name()))
			require.NoError(t, err)
			require.Equal(t, string(want), string(got), f.Name())
		}
	}
}

func TestLimitsCanBeChanged(t *testing.T) {
	b := newBox(t, Limits{MemoryMax: 32 << 20, PidsMax: 10})
	for _, l := range []Limits{
		{MemoryMax: 128 << 20}, // v1: above the old limit of memory and swap together
		{MemoryMax: 16 << 20, PidsMax: -1},
		{MemoryMax: 64 << 20, MemorySwap: 64 << 20},
		{MemoryMax: -1},
		{MemoryMax: 32 << 20},
	} {
		steps, err := b.sys.Steps(b.name, l)
		require.NoError(t, err)
		for _, s := range steps {
			require.NoError(t, s.Do(), "%+v: %s", l, s)
		}
		s, err := b.Stats()
		require.NoError(t, err)
		require.Equal(t, uint64(max(l.MemoryMax, 0)), s.Memory.Max)
	}
	require.Equal(t, "max\n", b.read("pids.max"), "what is not mentioned stays")
}

func TestWritingToWhatIsNoCgroupIsAnError(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "memory.max")
	require.NoError(t, os.WriteFile(file, []byte("max"), 0o644))
	err := Set{Path: file, Value: "1000"}.Do()
	require.ErrorIs(t, err, errNotCgroup)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "max", string(text))
	require.ErrorIs(t, Set{Path: dir + "/pids.max", Value: "1"}.Do(), fs.ErrNotExist)
	require.NoFileExists(t, dir+"/pids.max")
	require.ErrorIs(t, Create{Name: "g", Paths: []string{dir + "/g"}}.Do(), errNotCgroup)
	require.NoDirExists(t, dir+"/g")
	require.ErrorIs(t, Devices{Path: dir, BPF: true}.Do(), unix.EBADF, "the kernel itself takes no other directory")
}

func TestRefusedLimitNamesFileValueAndErrno(t *testing.T) {
	b := newBox(t, Limits{})
	file, err := b.file("cpuset.cpus")
	require.NoError(t, err)
	err = Set{Path: file, Value: "0-99999"}.Do()
	require.ErrorContains(t, err, file)
	require.ErrorContains(t, err, "0-99999")
	var errno syscall.Errno
	require.ErrorAs(t, err, &errno)

	file, err = b.file("memory.max", "memory.limit_in_bytes")
	require.NoError(t, err)
	require.ErrorContains(t, Set{Path: file, Value: "1M"}.Do(), `the kernel shows "1048576"`)
	gone := Set{Path: filepath.Join(b.Paths[0], "memory.no_such_limit"), Value: "1"}
	require.ErrorContains(t, gone.Do(), "this kernel has no such limit")
	gone.Optional = true
	require.NoError(t, gone.Do())
}

func TestMemoryLimitKillsAndCounts(t *testing.T) {
	b := newBox(t, Limits{MemoryMax: 48 << 20, MemorySwap: 48 << 20})
	events, err := b.Watch(t.Context())
	require.NoError(t, err)
	_, err = b.run("eat", "")
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal())
	requireEvent(t, events, Event{"oom", 1})
	n, err := b.OOMKills()
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	s, err := b.Stats()
	require.NoError(t, err)
	require.EqualValues(t, 1, s.OOMKills)
	require.EqualValues(t, 48<<20, s.Memory.Max)
	require.InDelta(t, 48<<20, s.Memory.Peak, 4<<20)
}

func TestPidsLimitStopsForks(t *testing.T) {
	b := newBox(t, Limits{PidsMax: 40}) // the helper has some threads itself
	out, err := b.run("fork", "")
	require.NoError(t, err, out)
	var n int
	var again bool
	_, err = fmt.Sscan(out, &n, &again)
	require.NoError(t, err, out)
	require.True(t, again, "EAGAIN")
	require.Less(t, n, 40)
	s, err := b.Stats()
	require.NoError(t, err)
	require.GreaterOrEqual(t, s.Pids, uint64(n))
	require.NoError(t, b.Kill())
}

func TestQuotaThrottles(t *testing.T) {
	b := newBox(t, Limits{CPUQuota: 10_000})
	b.start("spin", "")
	require.Eventually(t, func() bool {
		s, err := b.Stats()
		require.NoError(t, err)
		return s.CPU.Throttled >= 2 && s.CPU.ThrottledTime > 0 && s.CPU.Periods >= s.CPU.Throttled && s.CPU.Usage > 0
	}, patient, 10*time.Millisecond)
}

func TestCpusetBindsEveryProcess(t *testing.T) {
	b := newBox(t, Limits{CPUs: "0"})
	out, err := b.run("show", "/proc/self/status")
	require.NoError(t, err)
	require.Contains(t, out, "Cpus_allowed_list:\t0\n")
}

// TestWishThatCannotBeGrantedIsAnError: v1 refuses to write it; v2 keeps the wish, and runs the group elsewhere.
func TestWishThatCannotBeGrantedIsAnError(t *testing.T) {
	b := newBox(t, Limits{CPUs: "0"})
	steps, err := b.sys.Steps(b.name+"/inner", Limits{CPUs: "1"})
	require.NoError(t, err)
	last := len(steps) - 1
	for _, s := range steps[:last] {
		require.NoError(t, s.Do(), "%s", s)
	}
	require.ErrorContains(t, steps[last].Do(), "cpuset.cpus")
}

func TestDiskLimitIsKeptAndCounted(t *testing.T) {
	path, major, minor := disk(t)
	b := newBox(t, Limits{IO: []IOLimit{{Major: major, Minor: minor, ReadBPS: 4 << 20}}})
	start := time.Now()
	out, err := b.run("read", path)
	require.NoError(t, err, out)
	require.Greater(t, time.Since(start), 100*time.Millisecond, "1 MiB at 4 MiB/s")
	s, err := b.Stats()
	require.NoError(t, err)
	for _, d := range s.IO {
		if d.Disk == fmt.Sprintf("%d:%d", major, minor) {
			require.GreaterOrEqual(t, d.ReadBytes, uint64(1<<20))
			require.Positive(t, d.Reads)
			return
		}
	}
	t.Fatalf("no statistics of %d:%d in %+v", major, minor, s.IO)
}

func TestHugePagesAreLimited(t *testing.T) {
	sys, err := Detect()
	require.NoError(t, err)
	if _, err := sys.hierarchy("hugetlb"); err != nil {
		lab.NeedSupport(t, os.NewSyscallError("hugetlb", unix.ENOENT), "")
	}
	keepDelegation(t, sys)
	b := newBox(t, Limits{HugeTLB: []HugePage{{"2MB", 5 << 20}}})
	require.Equal(t, strconv.Itoa(4<<20)+"\n", b.read("hugetlb.2MB.max", "hugetlb.2MB.limit_in_bytes"))
}

// keepDelegation takes back, at the end, what the test delegates at the top.
func keepDelegation(t *testing.T, sys *System) {
	h, _ := sys.hierarchy("hugetlb")
	file := filepath.Join(h.Base, "cgroup.subtree_control")
	text, _ := os.ReadFile(file)
	if h.Version == V2 && !strings.Contains(string(text), "hugetlb") {
		t.Cleanup(func() { require.NoError(t, writeFile(file, "-hugetlb")) })
	}
}

func TestFrozenGroupDoesNothing(t *testing.T) {
	b := newBox(t, Limits{})
	h := b.start("wait", "")
	spinner := b.start("spin", "")
	require.NoError(t, b.Freeze())
	frozen, err := b.Frozen()
	require.NoError(t, err)
	require.True(t, frozen)
	_, err = fmt.Fprintln(h.stdin, "hello")
	require.NoError(t, err)
	before, err := b.Stats()
	require.NoError(t, err)
	require.Eventually(t, func() bool { // a virtual processor that stands still on the way into the freezer is counted as busy
		was := before.CPU.Usage
		before, err = b.Stats()
		return err == nil && before.CPU.Usage-was < 5*time.Millisecond
	}, patient, 50*time.Millisecond)
	require.NoError(t, b.Thaw())
	require.Equal(t, "hello", h.line(t))
	require.NoError(t, b.Freeze())
	require.NoError(t, b.Kill(), "also what is frozen")
	require.Error(t, spinner.Wait())
}

func TestKillLeavesNobodyThoughTheyFork(t *testing.T) {
	b := newBox(t, Limits{PidsMax: 200})
	b.start("bomb", "")
	sub := filepath.Join(b.Paths[0], "sub")
	require.NoError(t, os.Mkdir(sub, 0o755))
	require.NoError(t, b.Kill())
	pids, err := b.Procs()
	require.NoError(t, err)
	require.Empty(t, pids)
}

func TestUndoRemovesGroupsWithEverythingInThem(t *testing.T) {
	b := newBox(t, Limits{})
	h := b.start("wait", "")
	for _, p := range b.Paths {
		require.NoError(t, os.MkdirAll(filepath.Join(p, "made/by/the/container"), 0o755))
		if threaded := filepath.Join(p, "made/cgroup.type"); exists(threaded) { // its cgroup.procs cannot be read: EOPNOTSUPP
			require.NoError(t, writeFile(threaded, "threaded"))
		}
	}
	create := b.steps[0].(Create)
	require.NoError(t, create.Undo())
	require.Error(t, h.Wait())
	for _, p := range b.Paths {
		require.NoDirExists(t, filepath.Dir(p), "nor the parent, which is empty")
	}
	require.NoError(t, create.Undo(), "again")
	_, err := b.Stats()
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, b.Kill(), "nobody is left to kill")
}

func TestGroupsUnderOneParentComeAndGoAtTheSameTime(t *testing.T) {
	lab.NeedRoot(t)
	sys, err := Detect()
	require.NoError(t, err)
	parent := lab.CgroupName(t)
	errs := make(chan error)
	const workers = 4
	for w := range workers {
		go func() { errs <- churn(sys, fmt.Sprintf("%s/%d", parent, w)) }()
	}
	for range workers {
		require.NoError(t, <-errs)
	}
}

func churn(sys *System, name string) error {
	for range 20 {
		steps, err := sys.Steps(name, Limits{PidsMax: 5})
		if err != nil {
			return err
		}
		for _, s := range steps {
			if err := s.Do(); err != nil {
				return err
			}
		}
		if err := steps[0].(Create).Undo(); err != nil {
			return err
		}
	}
	return nil
}

func TestJoinedProcessAndItsChildrenAreInEveryHierarchy(t *testing.T) {
	b := newBox(t, Limits{})
	h := b.start("wait", "")
	pids, err := b.Procs()
	require.NoError(t, err)
	require.Equal(t, []int{h.Process.Pid}, pids)
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", h.Process.Pid))
	require.NoError(t, err)
	require.Equal(t, len(b.Paths), strings.Count(string(text), "/"+b.name+"\n"))
	out, err := b.run("show", "/proc/self/cgroup")
	require.NoError(t, err)
	require.Equal(t, len(b.Paths), strings.Count(out, "/"+b.name+"\n"))
}

func TestJoinIsVerified(t *testing.T) {
	b := newBox(t, Limits{})
	join := b.sys.Join(b.name)
	join.Paths = append(join.Paths, newBox(t, Limits{}).Paths[0]) // which takes it out of the first again
	cmd := b.command("wait", "")
	cmd.Env = append(cmd.Env, "CUTAWAY_HELPER_JOIN="+mustJSON(t, join))
	out, err := cmd.Output()
	require.Error(t, err)
	require.Contains(t, string(out), "/proc/thread-self/cgroup shows it in")
}

func TestCountersOfV1AndV2MeanTheSame(t *testing.T) {
	want := []IOStats{{"8:0", 90112, 1, 3, 2}, {"8:16", 5, 0, 0, 0}}
	for _, version := range []string{"v1", "v2"} {
		s, err := Group{Paths: []string{"testdata/stat/" + version}}.Stats()
		require.NoError(t, err)
		require.Equal(t, want, s.IO)
		require.Equal(t, CPUStats{Usage: 9 * time.Second, Periods: 4, Throttled: 3, ThrottledTime: time.Second}, s.CPU, version)
		require.Equal(t, MemoryStats{Current: 4096, Inactive: 1024, Swap: 512}, s.Memory, version)
		require.EqualValues(t, 2, s.OOMKills)
	}
}
