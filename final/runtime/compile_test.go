package runtime

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"testing"

	namespaces "cutaway/02-namespaces"
	cgroups "cutaway/03-cgroups"
	"cutaway/final/plan"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// example is a specification with a bit of everything.
func example() *specs.Spec {
	return &specs.Spec{
		Process: &specs.Process{
			Terminal: true, Args: []string{"sh"}, Cwd: "/work", NoNewPrivileges: true, OOMScoreAdj: new(int(100)),
			User: specs.User{UID: 7, GID: 8}, Rlimits: []specs.POSIXRlimit{{Type: "RLIMIT_CORE"}},
		},
		Root:     &specs.Root{Path: "/rootfs", Readonly: true},
		Hostname: "web",
		Mounts:   []specs.Mount{{Destination: "/proc", Type: "proc", Source: "proc"}},
		Linux: &specs.Linux{
			CgroupsPath: "cutaway/test", MaskedPaths: []string{"/proc/kcore"}, ReadonlyPaths: []string{"/proc/sys"},
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.MountNamespace}, {Type: specs.PIDNamespace}, {Type: specs.CgroupNamespace},
				{Type: specs.NetworkNamespace, Path: "/run/netns/x"},
			},
		},
	}
}

func namesOf(steps []plan.Step) []string {
	var names []string
	for _, s := range steps {
		names = append(names, reflect.TypeOf(s).String())
	}
	return names
}

func TestStepsAreInTheOnlyOrderThatWorks(t *testing.T) {
	system, err := cgroups.Detect()
	require.NoError(t, err)
	c, err := Compile(example(), system)
	require.NoError(t, err)
	require.Equal(t, []namespaces.Kind{namespaces.PID}, c.Clone.New)
	order := []string{
		"namespaces.Join", "cgroups.Join", "namespaces.Unshare", "namespaces.Propagation", "rootfs.Mount", "rootfs.Device",
		"shim.Terminal", "chroot.Pivot", "namespaces.Hostname", "plan.Workdir", "security.ReadOnly", "security.Mask",
		"security.OOMScore", "security.Rlimit", "security.Bounding", "security.User", "security.Capabilities", "security.NoNewPrivileges", "plan.Exec",
	}
	names, last := namesOf(c.Inside), -1
	for _, name := range order {
		at := slices.Index(names, name)
		require.Greater(t, at, last, "%s in %v", name, names)
		last = at
	}
	require.Len(t, names, last+1, "execve is the last")
	require.Contains(t, c.Inside, plan.Step(namespaces.Unshare{New: []namespaces.Kind{namespaces.Mnt, namespaces.Cgroup}}))
}

func TestWhatCannotBeDoneIsRefused(t *testing.T) {
	system, err := cgroups.Detect()
	require.NoError(t, err)
	for name, spoil := range map[string]func(*specs.Spec){
		"seccomp":          func(s *specs.Spec) { s.Linux.Seccomp = &specs.LinuxSeccomp{} },
		"hooks":            func(s *specs.Spec) { s.Hooks = &specs.Hooks{} },
		"a user namespace": func(s *specs.Spec) { s.Linux.UIDMappings = []specs.LinuxIDMapping{{}} },
		"AppArmor":         func(s *specs.Spec) { s.Process.ApparmorProfile = "x" },
		"no process":       func(s *specs.Spec) { s.Process = nil },
		"RDMA": func(s *specs.Spec) {
			s.Linux.Resources = &specs.LinuxResources{Rdma: map[string]specs.LinuxRdma{"x": {}}}
		},
	} {
		s := example()
		spoil(s)
		_, err := Compile(s, system)
		require.ErrorIs(t, err, ErrSpec, name)
	}
}

func TestLimitsOfTheSpecificationReachChapter3(t *testing.T) {
	l, err := limitsOf(&specs.LinuxResources{
		HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 4 << 20}, {Pagesize: "1GB"}},
		Unified:        map[string]string{"memory.high": "1048576"},
	})
	require.NoError(t, err)
	require.Equal(t, cgroups.Limits{MemoryHigh: 1 << 20, HugeTLB: []cgroups.HugePage{{Size: "2MB", Max: 4 << 20}, {Size: "1GB"}}}, l)
	l, err = limitsOf(&specs.LinuxResources{Unified: map[string]string{"memory.high": "max"}})
	require.NoError(t, err)
	require.EqualValues(t, -1, l.MemoryHigh)
	for want, r := range map[string]specs.LinuxResources{
		`{"memory":{"swappiness":60}}`:     {Memory: &specs.LinuxMemory{Limit: new(int64(5)), Swappiness: new(uint64(60))}},
		`{"cpu":{"idle":1}}`:               {CPU: &specs.LinuxCPU{Cpus: "0", Idle: new(int64(1))}},
		`{"blockIO":{"leafWeight":9}}`:     {BlockIO: &specs.LinuxBlockIO{LeafWeight: new(uint16(9))}},
		`{"unified":{"memory.min":"9"}}`:   {Unified: map[string]string{"memory.min": "9", "memory.high": "5"}},
		`unified memory.high is "5 Tonne"`: {Unified: map[string]string{"memory.high": "5 Tonne"}},
	} {
		_, err := limitsOf(&r)
		require.ErrorIs(t, err, ErrSpec)
		require.ErrorContains(t, err, want)
	}
}

func TestThrottlesAreGatheredByDisk(t *testing.T) {
	disk := func(minor int64, rate uint64) specs.LinuxThrottleDevice {
		d := specs.LinuxThrottleDevice{Rate: rate}
		d.Major, d.Minor = 8, minor
		return d
	}
	got := throttles(&specs.LinuxBlockIO{
		ThrottleReadBpsDevice:   []specs.LinuxThrottleDevice{disk(0, 1), disk(16, 2)},
		ThrottleWriteIOPSDevice: []specs.LinuxThrottleDevice{disk(16, 3)},
	})
	require.Equal(t, []cgroups.IOLimit{{Major: 8, ReadBPS: 1}, {Major: 8, Minor: 16, ReadBPS: 2, WriteIOPS: 3}}, got)
}

func TestAGroupHasRoomUntilItsLimit(t *testing.T) {
	memory, pids := t.TempDir(), t.TempDir() // of v1: only one has the files
	group := cgroups.Join{Paths: []string{memory, pids}}
	for _, row := range []struct {
		limit, now string
		full       bool
	}{
		{"max\n", "9\n", false}, {"3\n", "2\n", false}, {"3\n", "3\n", true}, {"3\n", "5\n", true},
	} {
		require.NoError(t, os.WriteFile(pids+"/pids.max", []byte(row.limit), 0o600))
		require.NoError(t, os.WriteFile(pids+"/pids.current", []byte(row.now), 0o600))
		err := Room(group)
		require.Equal(t, row.full, errors.Is(err, unix.EAGAIN), "%v", err)
		require.Equal(t, row.full, err != nil)
	}
	require.ErrorContains(t, Room(group), "it has 5 of 3 processes and threads (--pids-limit)")
}
