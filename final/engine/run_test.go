package engine

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	daemon "cutaway/07-daemon"
	"cutaway/final/plan"

	"github.com/moby/moby/api/types/container"
	"github.com/stretchr/testify/require"
)

func TestExitCodesAreTheProgramsOwn(t *testing.T) {
	w := open(t)
	for _, code := range []int64{0, 1, 7, 255} {
		require.Equal(t, code, w.run(request("sh", "-c", fmt.Sprint("exit ", code)), "").code)
	}
	require.EqualValues(t, 128+15, w.run(request("sh", "-c", "sh -c 'kill -TERM $$'; exit $?"), "").code, "the shell tells of its child")
}

func TestArgumentsAndEnvironmentAreKeptByteForByte(t *testing.T) {
	w := open(t)
	odd := []string{"", " ", "two words", "line\nbreak", `"quotes" 'too'`, "$HOME `id` \\", "-x", "*", "ü→"}
	req := request(append([]string{"sh", "-c", `for a in "$@"; do printf '[%s]' "$a"; done; printf '{%s}' "$ODD"`, "sh"}, odd...)...)
	req.Config.Env = []string{"ODD= a\n'b' \"c\" $d"}
	want := ""
	for _, a := range odd {
		want += "[" + a + "]"
	}
	require.Equal(t, want+"{ a\n'b' \"c\" $d}", w.run(req, "").stdout)
}

func TestStreamsAreSeparateAndInputEnds(t *testing.T) {
	w := open(t)
	out := w.run(request("sh", "-c", "cat; echo err >&2"), strings.Repeat("0123456789abcdef\n", 20000))
	require.Equal(t, strings.Repeat("0123456789abcdef\n", 20000), out.stdout)
	require.Equal(t, "err\n", out.stderr)
	require.Zero(t, out.code)
}

func TestOutOfMemoryIsReported(t *testing.T) {
	w := open(t)
	req := request("stress", "--vm", "1", "--vm-bytes", "96m")
	req.HostConfig.Memory = 32 << 20
	out := w.run(req, "")
	require.EqualValues(t, 137, out.code)
	got, err := w.Inspect(w.ctx(), out.id, daemon.InspectOptions{})
	require.NoError(t, err)
	require.True(t, got.State.OOMKilled)
}

func TestAWriteStaysInTheContainersOwnLayer(t *testing.T) {
	w := open(t)
	require.Zero(t, w.run(request("sh", "-c", "echo mine > /root/note && cat /root/note"), "").code)
	require.EqualValues(t, 1, w.run(request("cat", "/root/note"), "").code)
}

func TestAStoppedContainerStartsAgainWithItsFiles(t *testing.T) {
	w := open(t)
	out := w.run(request("sh", "-c", "echo x >> /root/n; wc -l < /root/n"), "")
	until, err := w.Wait(w.ctx(), out.id, container.WaitConditionNextExit)
	require.NoError(t, err)
	require.NoError(t, w.Start(w.ctx(), out.id))
	require.Zero(t, w.receive(until))
	var log strings.Builder
	logs, err := w.Logs(w.ctx(), out.id, daemon.LogOptions{Stdout: true, Tail: -1})
	require.NoError(t, err)
	for line, err := range logs.Lines {
		require.NoError(t, err)
		log.Write(line.Data)
	}
	require.Equal(t, []string{"1", "2"}, strings.Fields(log.String()))
}

func TestSysctlsAreAboutTheLinksThatAreThere(t *testing.T) {
	const key = "net.ipv4.conf.eth0.log_martians"
	req := request("cat", "/proc/sys/"+strings.ReplaceAll(key, ".", "/"))
	req.HostConfig.Sysctls = map[string]string{key: "1"}
	w := open(t)
	out := w.run(req, "")
	require.Equal(t, "1\n", out.stdout)
	c, err := w.find(out.id)
	require.NoError(t, err)
	require.Empty(t, c.currentPlan().Of(plan.Cable), "the child must not be able to be faster")
}

func TestExecJoinsTheContainer(t *testing.T) {
	w := open(t)
	id := w.create(request("sleep", "1000"))
	require.NoError(t, w.Start(w.ctx(), id))
	x, err := w.ExecCreate(w.ctx(), id, container.ExecCreateRequest{
		Cmd: []string{"sh", "-c", "for n in cgroup ipc mnt net pid uts; do readlink /proc/self/ns/$n /proc/1/ns/$n; done"}, AttachStdout: true,
	})
	require.NoError(t, err)
	stream, err := w.ExecStart(w.ctx(), x, daemon.ExecStartOptions{})
	require.NoError(t, err)
	lines := strings.Fields(demultiplexed(t, stream))
	require.Len(t, lines, 12)
	for i := 0; i < 12; i += 2 {
		require.Equal(t, lines[i], lines[i+1])
	}
}

func TestUsersMistakesAreInvalidAndLeaveNothing(t *testing.T) {
	w := open(t)
	for name, spoil := range map[string]func(*daemon.CreateRequest){
		"less memory than the least":  func(r *daemon.CreateRequest) { r.HostConfig.Memory = 1 << 20 },
		"an unknown capability":       func(r *daemon.CreateRequest) { r.HostConfig.CapAdd = []string{"FLY"} },
		"an option that is not there": func(r *daemon.CreateRequest) { r.HostConfig.Privileged = true },
		"a mount over the root":       func(r *daemon.CreateRequest) { r.HostConfig.Binds = []string{"/tmp:/"} },
		"a volume with a bad name":    func(r *daemon.CreateRequest) { r.HostConfig.Binds = []string{"../x:/data"} },
		"the same place twice":        func(r *daemon.CreateRequest) { r.HostConfig.Binds = []string{"/tmp:/data", "vol1:/data"} },
		"a relative directory":        func(r *daemon.CreateRequest) { r.Config.WorkingDir = "here" },
		"no program":                  func(r *daemon.CreateRequest) { r.Config.Entrypoint, r.Config.Cmd = []string{""}, []string{""} },
		"a name with a slash":         func(r *daemon.CreateRequest) { r.Name = "a/b" },
	} {
		req := request("true")
		spoil(&req)
		_, err := w.Create(w.ctx(), req)
		require.Error(t, err, name)
		require.Equal(t, daemon.Invalid, daemon.KindOf(err), "%s: %v", name, err)
	}
	dirs, err := os.ReadDir(w.data("containers"))
	require.NoError(t, err)
	require.Empty(t, dirs)
	require.Empty(t, w.names)
}

func TestANameBelongsToOneContainer(t *testing.T) {
	w := open(t)
	req := request("true")
	req.Name = "web"
	id := w.create(req)
	_, err := w.Create(w.ctx(), req)
	require.Equal(t, daemon.Conflict, daemon.KindOf(err))
	require.NoError(t, w.Rename(w.ctx(), "web", "old"))
	second := w.create(req)
	require.NoError(t, w.Remove(w.ctx(), "old", daemon.RemoveOptions{}))
	_, err = w.find(id)
	require.Equal(t, daemon.NotFound, daemon.KindOf(err))
	found, err := w.find(second[:12])
	require.NoError(t, err)
	require.Equal(t, "web", found.look().Name)
}

func TestAPausedContainerStandsStillAndCanBeKilled(t *testing.T) {
	w := open(t)
	id := w.create(request("sleep", "1000"))
	require.NoError(t, w.Start(w.ctx(), id))
	require.NoError(t, w.Pause(w.ctx(), id))
	require.Equal(t, daemon.Conflict, daemon.KindOf(w.Pause(w.ctx(), id)))
	frozen, err := w.group(id).Frozen()
	require.NoError(t, err)
	require.True(t, frozen)
	got, err := w.Inspect(w.ctx(), id, daemon.InspectOptions{})
	require.NoError(t, err)
	require.EqualValues(t, "paused", got.State.Status)
	_, err = w.ExecCreate(w.ctx(), id, container.ExecCreateRequest{Cmd: []string{"true"}})
	require.Equal(t, daemon.Conflict, daemon.KindOf(err))
	require.NoError(t, w.Unpause(w.ctx(), id))
	frozen, err = w.group(id).Frozen()
	require.NoError(t, err)
	require.False(t, frozen)
	require.NoError(t, w.Pause(w.ctx(), id))
	require.NoError(t, w.Kill(w.ctx(), id, "KILL"))
	c, err := w.find(id)
	require.NoError(t, err)
	require.False(t, c.running())
}

func TestRemoveByForceWaitsForAStartAndEndsIt(t *testing.T) {
	w := open(t)
	id := w.create(request("sleep", "1000"))
	begun, started := make(chan struct{}), make(chan error, 1)
	begin := sync.OnceFunc(func() { close(begun) })
	go func() { started <- w.start(id, func(*plan.Item) error { begin(); return nil }) }()
	<-begun
	require.NoError(t, w.Remove(w.ctx(), id, daemon.RemoveOptions{Force: true}))
	require.NoError(t, <-started)
	w.clean("removed")
}
