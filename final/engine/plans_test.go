package engine

import (
	"encoding/json"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	daemon "cutaway/07-daemon"
	"cutaway/chapters/lab"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// halfway starts a container step by step, goes on by some steps and stands
// still there. What the engine says next is in the decoder.
func (w *world) halfway(id string, steps int) *json.Decoder {
	w.t.Helper()
	stream, err := w.Step(w.ctx(), id)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { stream.Conn.Close() })
	says := json.NewDecoder(stream.Conn)
	for range steps {
		var s Stop
		require.NoError(w.t, says.Decode(&s))
		require.Empty(w.t, s.Error)
		_, err := io.WriteString(stream.Conn, "{}\n")
		require.NoError(w.t, err)
	}
	var s Stop
	require.NoError(w.t, says.Decode(&s))
	return says
}

func TestAStartThatStandsStillIsEndedFromElsewhere(t *testing.T) {
	w := open(t)
	for name, end := range map[string]func(id string) error{
		"stop":  func(id string) error { return w.Stop(w.ctx(), id, daemon.StopOptions{}) },
		"rm -f": func(id string) error { return w.Remove(w.ctx(), id, daemon.RemoveOptions{Force: true}) },
	} {
		for _, steps := range []int{0, 12, 40} { // nothing is done; on the host; inside
			id := w.create(request("sleep", "1000"))
			says := w.halfway(id, steps)
			for what, err := range map[string]error{
				"start": w.Start(w.ctx(), id), "rename": w.Rename(w.ctx(), id, "other"), "rm": w.Remove(w.ctx(), id, daemon.RemoveOptions{}),
			} {
				require.Equal(t, daemon.Conflict, daemon.KindOf(err), "%s: %v", what, err)
				require.Equal(t, stepped, daemon.TopicOf(err), what)
			}
			require.NoError(t, end(id), name)
			var last Stop
			require.NoError(t, says.Decode(&last))
			require.Equal(t, errEnded.Error(), last.Error)
			require.Equal(t, stepped, last.Topic)
			c, err := w.find(id)
			if name == "rm -f" {
				require.Equal(t, daemon.NotFound, daemon.KindOf(err))
			} else {
				require.NoError(t, err)
				require.Equal(t, container.StateCreated, c.look().State.Status)
				require.NoError(t, w.Start(w.ctx(), id), "it can be started afterwards")
				require.NoError(t, w.Remove(w.ctx(), id, daemon.RemoveOptions{Force: true}))
			}
			w.clean(name)
		}
	}
}

// publishing asks for a port of the host.
func publishing(port string) daemon.CreateRequest {
	req := request("sleep", "1000")
	req.HostConfig.PortBindings = network.PortMap{network.MustParsePort("80/tcp"): {{HostPort: port}}}
	return req
}

func TestAnErrorBeforeTheFirstStopSaysWhereItIsExplained(t *testing.T) {
	w := open(t)
	require.NoError(t, w.Start(w.ctx(), w.create(publishing("8080"))))
	stream, err := w.Step(w.ctx(), w.create(publishing("8080")))
	require.NoError(t, err)
	defer stream.Conn.Close()
	var last Stop
	require.NoError(t, json.NewDecoder(stream.Conn).Decode(&last))
	require.NotEmpty(t, last.Error)
	require.Equal(t, portAllocated, last.Topic)
}

func TestADryRunMakesNoVolume(t *testing.T) {
	w := open(t)
	req := request("true")
	req.HostConfig.Binds = []string{"fresh:/data"}
	req.Config.Volumes = map[string]struct{}{"/nameless": {}}
	id := w.create(req)
	plan, err := w.Plan(w.ctx(), id)
	require.NoError(t, err)
	require.Contains(t, string(plan), w.data("volumes", "fresh", "_data"))
	require.NoError(t, w.Remove(w.ctx(), id, daemon.RemoveOptions{Volumes: true}))
	volumes, err := os.ReadDir(w.data("volumes"))
	require.NoError(t, err)
	require.Empty(t, volumes)

	require.Zero(t, w.run(req, "").code)
	require.DirExists(t, w.data("volumes", "fresh", "_data"), "a start makes it")
}

func TestAnEngineThatClosesLetsGoOfPorts(t *testing.T) {
	w := open(t)
	require.NoError(t, w.Start(w.ctx(), w.create(publishing("8080"))))
	bound := func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(fd)
		return unix.Bind(fd, &unix.SockaddrInet4{Port: 8080, Addr: netip.IPv4Unspecified().As4()})
	}
	require.ErrorIs(t, bound(), unix.EADDRINUSE)
	require.NoError(t, w.Close())
	require.NoError(t, bound())
	next, err := Open(w.o)
	require.NoError(t, err)
	w.Engine = next
	require.ErrorIs(t, bound(), unix.EADDRINUSE, "the next one takes them again")
}

func TestAnEngineThatDoesNotOpenLeavesNoNetwork(t *testing.T) {
	dir := t.TempDir()
	o := Options{DataRoot: dir + "/data", ExecRoot: dir + "/run"}
	require.NoError(t, os.MkdirAll(dir+"/data/containers/x", 0o700))
	require.NoError(t, os.WriteFile(dir+"/data/containers/x/container.json", []byte("{"), 0o600))
	before, err := lab.Links()
	require.NoError(t, err)
	_, err = Open(o)
	require.ErrorContains(t, err, "take over containers")
	after, err := lab.Links()
	require.NoError(t, err)
	require.Len(t, after, len(before))
}

// What lies below exec-root may be swept away by somebody.
func TestExplainTakesNoAddressFromAContainerThatRuns(t *testing.T) {
	w := open(t)
	id := w.create(request("sleep", "1000"))
	require.NoError(t, w.Start(w.ctx(), id))
	c, err := w.find(id)
	require.NoError(t, err)
	address := c.look().State.Address
	require.NoError(t, os.Remove(filepath.Join(c.bundle, "plan.json")))
	_, err = w.Plan(w.ctx(), id)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Equal(t, address, c.look().State.Address)
	require.Contains(t, w.net.Allocated(), id)
}

func TestAStartThatFailedKeepsNoFileOpen(t *testing.T) {
	w := open(t)
	id := w.create(request("nosuch"))
	require.Error(t, w.Start(w.ctx(), id))
	open, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	for _, fd := range open {
		path, _ := os.Readlink(fd)
		require.NotContains(t, path, id)
	}
}

func TestInspectKnowsTheFilesOfASharedNetwork(t *testing.T) {
	w := open(t)
	id := w.create(request("sleep", "1000"))
	require.NoError(t, w.Start(w.ctx(), id))
	req := request("sleep", "1000")
	req.HostConfig.NetworkMode = container.NetworkMode("container:" + id)
	guest := w.create(req)
	require.NoError(t, w.Start(w.ctx(), guest))
	got, err := w.Inspect(w.ctx(), guest, daemon.InspectOptions{})
	require.NoError(t, err)
	for _, path := range []string{got.HostsPath, got.HostnamePath, got.ResolvConfPath} {
		require.FileExists(t, path)
	}
}
