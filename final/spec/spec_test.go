package spec

import (
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

func TestMergeFollowsDockersRules(t *testing.T) {
	image := v1.Config{Entrypoint: []string{"/entry"}, Cmd: []string{"a", "b"}}
	for _, row := range []struct {
		name string
		user container.Config
		want []string
	}{
		{"nothing said", container.Config{}, []string{"/entry", "a", "b"}},
		{"a command replaces the image's", container.Config{Cmd: []string{"c"}}, []string{"/entry", "c"}},
		{"an entrypoint hides both", container.Config{Entrypoint: []string{"/mine"}}, []string{"/mine"}},
		{"an empty entrypoint takes it away", container.Config{Entrypoint: []string{""}, Cmd: []string{"c"}}, []string{"c"}},
	} {
		require.Equal(t, row.want, Args(Merge(row.user, image)), row.name)
	}
}

func TestEnvironmentsAddUpAndTheUserWins(t *testing.T) {
	got := Merge(container.Config{Env: []string{"B=mine", "C=", "GONE"}}, v1.Config{Env: []string{"A=1", "B=2", "GONE=3"}})
	require.Equal(t, []string{"A=1", "B=mine", "C="}, got.Env)
	got.Hostname = "web"
	require.Equal(t, []string{DefaultPath, "HOSTNAME=web", "A=1", "B=mine", "C="}, environment(got))
	got.Env = []string{"PATH=/mine"}
	require.Equal(t, []string{"PATH=/mine", "HOSTNAME=web"}, environment(got))
}

func TestCheckNamesTheOption(t *testing.T) {
	yes := true
	for want, h := range map[string]container.HostConfig{
		"--privileged":        {Privileged: true},
		"--pid host":          {PidMode: "host"},
		"--restart always":    {RestartPolicy: container.RestartPolicy{Name: "always"}},
		"--network mine":      {NetworkMode: "mine"},
		"--init":              {Init: &yes},
		"6MB":                 {Resources: container.Resources{Memory: 5 << 20}},
		"--cpus":              {Resources: container.Resources{NanoCPUs: -1}},
		"--memory-swap":       {Resources: container.Resources{Memory: 64 << 20, MemorySwap: 32 << 20}},
		"--mount type=npipe":  {Mounts: []mount.Mount{{Type: mount.TypeNamedPipe}}},
		"--security-opt x=y":  {SecurityOpt: []string{"x=y"}},
		"--ulimit":            {Resources: container.Resources{Ulimits: []*container.Ulimit{{Name: "fun"}}}},
		"unknown capability":  {CapDrop: []string{"FLY"}},
		"--log-driver syslog": {LogConfig: container.LogConfig{Type: "syslog"}},
	} {
		require.ErrorContains(t, Check(container.Config{Cmd: []string{"true"}}, h), want)
	}
	require.NoError(t, Check(container.Config{Cmd: []string{"true"}}, container.HostConfig{NetworkMode: "default", LogConfig: container.LogConfig{Type: "json-file"}}))
}

func TestOnlySysctlsOfTheContainersOwnNamespacesAreAllowed(t *testing.T) {
	for _, row := range []struct {
		key     string
		network container.NetworkMode
		refused string
	}{
		{"net.ipv4.ip_forward", "bridge", ""},
		{"net/ipv4/conf/eth0.1/forwarding", "none", ""},
		{"kernel.shmmax", "", ""},
		{"kernel.sem", "host", ""},
		{"fs.mqueue.msg_max", "", ""},
		{"net.ipv4.ip_forward", "host", "no network of its own"},
		{"net.ipv4.ip_forward", "container:web", "no network of its own"},
		{"vm.swappiness", "", "would change the host"},
		{"vm/swappiness", "", "would change the host"},
		{"kernel.hostname", "", "would change the host"},
		{"net/../vm/swappiness", "", "no part of a key"},
	} {
		err := Check(container.Config{Cmd: []string{"true"}}, container.HostConfig{NetworkMode: row.network, Sysctls: map[string]string{row.key: "1"}})
		if row.refused == "" {
			require.NoError(t, err, row.key)
			continue
		}
		require.ErrorContains(t, err, row.refused, row.key)
	}
}

func TestMountsAreShallowFirstAndReplaceTheUsual(t *testing.T) {
	h := container.HostConfig{Tmpfs: map[string]string{"/data/a/b": "", "/dev/shm": "size=1m,exec"}}
	list := mounts(h, []specs.Mount{{Destination: "/data/a", Source: "/x"}, {Destination: "/data", Source: "/y"}})
	var order []string
	shm := 0
	for _, m := range list {
		order = append(order, m.Destination)
		if m.Destination == "/dev/shm" {
			shm++
			require.Equal(t, []string{"nosuid", "nodev", "size=1m", "exec"}, m.Options)
		}
	}
	require.Equal(t, 1, shm)
	require.Equal(t, []string{"/data", "/data/a", "/dev/shm", "/data/a/b"}, sortedBy(order, "/data", "/dev/shm", "/data/a", "/data/a/b"))
}

// sortedBy keeps those of list that are named, in list's order.
func sortedBy(list []string, names ...string) (out []string) {
	for _, l := range list {
		for _, n := range names {
			if l == n {
				out = append(out, l)
			}
		}
	}
	return out
}

func TestAUserWhoseNumberIsUnknownIsNeverRootForOthers(t *testing.T) {
	for _, row := range []struct {
		name     string
		uid, gid uint32
	}{
		{"", 0, 0}, {"root", 0, 0}, {"guest", nobody, nobody}, {"1000", 1000, 0}, {"1000:50", 1000, 50}, {"guest:50", nobody, 50},
	} {
		u := userOf(row.name, nil)
		require.Equal(t, []uint32{row.uid, row.gid}, []uint32{u.UID, u.GID}, row.name)
	}
}

func TestLimitsInTheWordsOfTheSpecification(t *testing.T) {
	pids := int64(50)
	r, err := resources(container.Resources{NanoCPUs: 15e8, Memory: 64 << 20, PidsLimit: &pids, DeviceCgroupRules: []string{"c 10:* rm"}})
	require.NoError(t, err)
	require.EqualValues(t, 150000, *r.CPU.Quota)
	require.EqualValues(t, 100000, *r.CPU.Period)
	require.EqualValues(t, 64<<20, *r.Memory.Limit)
	require.EqualValues(t, 50, *r.Pids.Limit)
	last := r.Devices[len(r.Devices)-1]
	require.EqualValues(t, 10, *last.Major)
	require.Nil(t, last.Minor)
	for _, bad := range []string{"", "c 1 r", "x 1:2 r", "c 1:2 q", "c a:b r"} {
		_, err := resources(container.Resources{DeviceCgroupRules: []string{bad}})
		require.ErrorContains(t, err, "--device-cgroup-rule", bad)
	}
}
