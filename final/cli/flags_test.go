package cli

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/stretchr/testify/require"
)

// parse reads a command line of "create" without sending it.
func parse(args ...string) (container.CreateRequest, error) {
	var f createFlags
	var req container.CreateRequest
	c := command("create IMAGE [ARG...]", "", func(_ context.Context, args []string) (err error) {
		req, err = f.request(args)
		return err
	})
	c.SilenceErrors, c.SilenceUsage = true, true
	c.PersistentFlags().Bool("help", false, "") // as root has it: -h is --hostname
	f.bind(c.Flags())
	c.SetArgs(args)
	err := c.Execute()
	return req, err
}

func TestFlagsEndAtTheImage(t *testing.T) {
	req, err := parse("-it", "--rm", "image", "-it", "--rm", "", "--")
	require.NoError(t, err)
	require.True(t, req.Tty && req.OpenStdin && req.AttachStdin && req.StdinOnce && req.HostConfig.AutoRemove)
	require.Equal(t, "image", req.Image)
	require.Equal(t, []string{"-it", "--rm", "", "--"}, req.Cmd)
}

func TestFlagsBecomeTheRequest(t *testing.T) {
	t.Setenv("FROM_HERE", "a=b")
	req, err := parse("-h", "box", "-u", "1:2", "-w", "/w", "-e", "A=1,2", "-e", "FROM_HERE", "-e", "NOWHERE", "-l", "x=y", "-l", "z",
		"-m", "64m", "--memory-swap", "-1", "--cpus", "0.5", "--pids-limit", "10", "--ulimit", "nofile=5:6", "--stop-timeout", "3",
		"--tmpfs", "/t:size=1m", "-v", "vol:/v:ro", "-v", "/anonymous", "--device", "/dev/fuse:r", "--add-host", "a:b:c", "--entrypoint", "", "image")
	require.NoError(t, err)
	h := req.HostConfig
	require.Equal(t, "box", req.Hostname)
	require.Equal(t, []string{"A=1,2", "FROM_HERE=a=b"}, req.Env)
	require.Equal(t, map[string]string{"x": "y", "z": ""}, req.Labels)
	require.Equal(t, []string{""}, req.Entrypoint)
	require.Equal(t, []int64{64 << 20, -1, 5e8, 10}, []int64{h.Memory, h.MemorySwap, h.NanoCPUs, *h.PidsLimit})
	require.Equal(t, []int64{5, 6}, []int64{h.Ulimits[0].Soft, h.Ulimits[0].Hard})
	require.Equal(t, 3, *req.StopTimeout)
	require.Equal(t, map[string]string{"/t": "size=1m"}, h.Tmpfs)
	require.Equal(t, []string{"vol:/v:ro"}, h.Binds)
	require.Contains(t, req.Volumes, "/anonymous")
	require.Equal(t, container.DeviceMapping{PathOnHost: "/dev/fuse", PathInContainer: "/dev/fuse", CgroupPermissions: "r"}, h.Devices[0])
	require.Equal(t, []string{"a:b:c"}, h.ExtraHosts)
	require.Equal(t, "default", string(h.NetworkMode))
}

func TestNonsenseIsAnError(t *testing.T) {
	for _, args := range [][]string{
		{}, {"-m", "64x", "i"}, {"--cpus", "many", "i"}, {"-p", "0x50", "i"}, {"-p", "80-81:90-95", "i"}, {"-p", "1.2.3:80:80", "i"},
		{"--device", "fuse", "i"}, {"--ulimit", "nofile", "i"}, {"-v", "relative", "i"}, {"-a", "stdwhat", "i"}, {"--env-file", "/nosuch", "i"},
		{"--sysctl", "a.b", "i"}, {"--add-host", "name", "i"}, {"--nosuch", "i"},
	} {
		_, err := parse(args...)
		require.Error(t, err, args)
	}
}

func TestPublish(t *testing.T) {
	for arg, want := range map[string][]string{
		"80":                {"80/tcp ="},
		"8080:80":           {"80/tcp =8080"},
		"8080:80/udp":       {"80/udp =8080"},
		"127.0.0.1:8080:80": {"80/tcp 127.0.0.1=8080"},
		"127.0.0.1::80":     {"80/tcp 127.0.0.1="},
		"[::1]:8080:80":     {"80/tcp ::1=8080"},
		"8000-8001:80-81":   {"80/tcp =8000", "81/tcp =8001"},
		"8000-8009:80":      {"80/tcp =8000-8009"},
		"80-81":             {"80/tcp =", "81/tcp ="},
	} {
		req, err := parse("-p", arg, "image")
		require.NoError(t, err, arg)
		var got []string
		for port, bindings := range req.HostConfig.PortBindings {
			require.Contains(t, req.ExposedPorts, port)
			for _, b := range bindings {
				ip := ""
				if b.HostIP.IsValid() {
					ip = b.HostIP.String()
				}
				got = append(got, port.String()+" "+ip+"="+b.HostPort)
			}
		}
		slices.Sort(got)
		require.Equal(t, want, got, arg)
	}
}

func TestSplitTag(t *testing.T) {
	for ref, want := range map[string][2]string{
		"alpine": {"alpine", ""}, "alpine:3": {"alpine", "3"}, "localhost:5000/a": {"localhost:5000/a", ""},
		"localhost:5000/a:b": {"localhost:5000/a", "b"}, "a@sha256:00": {"a", "sha256:00"},
	} {
		repository, tag := splitTag(ref)
		require.Equal(t, want, [2]string{repository, tag}, ref)
	}
}

func TestTimestamp(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for s, want := range map[string]string{
		"5s": "1767323040.000000006", "2026-01-02T03:04:05.5Z": "1767323045.500000000", "17.5": "17.5",
	} {
		got, err := timestamp(s, now)
		require.NoError(t, err)
		require.Equal(t, want, got, s)
	}
	_, err := timestamp("yesterday", now)
	require.Error(t, err)
}

func TestHostsAreUnixOrTCP(t *testing.T) {
	for host, good := range map[string]bool{
		"unix:///x": true, "tcp://127.0.0.1:1": true, "unix://": false, "/x": false, "http://x": false, "": true,
	} {
		_, _, err := (&client{host: host}).address()
		require.Equal(t, good, err == nil, host)
	}
}

func TestEveryCommandIsDescribed(t *testing.T) {
	a := &app{client: newClient()}
	for name, command := range a.commands() {
		c := command()
		require.Equal(t, name, c.Name())
		require.NotEmpty(t, c.Short, name)
		require.Len(t, a.root([]string{name}).Commands(), 1)
	}
	require.Len(t, a.root(nil).Commands(), len(a.commands()))
	require.Len(t, a.root([]string{"nosuch"}).Commands(), len(a.commands()))
}
