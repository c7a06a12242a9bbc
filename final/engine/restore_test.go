package engine

import (
	"os"
	"testing"

	daemon "cutaway/07-daemon"

	"github.com/moby/moby/api/types/container"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// An engine that starts takes over what runs, and learns how the others ended meanwhile.
func TestTheNextEngineTakesOver(t *testing.T) {
	w := open(t)
	w.replaced(func() { w.another("terminal, no network") })
	killed := w.all()[0].look()
	w.replaced(func() {
		require.NoError(t, unix.Kill(killed.State.PID, unix.SIGKILL))
		require.Eventually(t, func() bool { return unix.Kill(killed.State.PID, 0) != nil }, patience, patience/1000)
		w.another("rich")
	})
	ends, runs := killed.ID, ""
	for _, c := range w.all() {
		if id := c.look().ID; id != ends {
			runs = id
		}
	}

	until, err := w.Wait(w.ctx(), ends, container.WaitConditionNotRunning)
	require.NoError(t, err)
	require.EqualValues(t, 128+9, w.receive(until))
	x, err := w.ExecCreate(w.ctx(), runs, container.ExecCreateRequest{Cmd: []string{"id", "-u"}, AttachStdout: true})
	require.NoError(t, err)
	stream, err := w.ExecStart(w.ctx(), x, daemon.ExecStartOptions{})
	require.NoError(t, err)
	require.Equal(t, "1000\n", demultiplexed(t, stream))

	until, err = w.Wait(w.ctx(), runs, container.WaitConditionNotRunning)
	require.NoError(t, err)
	require.NoError(t, w.Kill(w.ctx(), runs, "KILL"))
	require.EqualValues(t, 128+9, w.receive(until))
	for _, id := range []string{runs, ends} {
		require.NoError(t, w.Remove(w.ctx(), id, daemon.RemoveOptions{Volumes: true}))
	}
	w.clean("removed by the next engine")
}

// another has an engine in a process of its own start a container, and end.
func (w *world) another(kind string) {
	w.t.Helper()
	out, err := w.obey(orders{Kind: kind, At: 1 << 20})
	require.ErrorContains(w.t, err, "exit status 3", out)
}

// replaced ends the engine, does something, and starts the next.
func (w *world) replaced(meanwhile func()) {
	w.t.Helper()
	require.NoError(w.t, w.Close())
	meanwhile()
	next, err := Open(w.o)
	require.NoError(w.t, err)
	w.Engine = next
}

// An engine that dies before it has written down that a container with --rm runs.
func TestAProcessThatHasNoRecordIsEnded(t *testing.T) {
	w := open(t)
	req := request("sleep", "1000")
	req.HostConfig.AutoRemove = true
	id := w.create(req)
	require.NoFileExists(t, recordIn(w.data("containers", id)))
	require.NoError(t, w.Start(w.ctx(), id))
	pid := w.pidOf(id)
	w.replaced(func() { require.NoError(t, os.Remove(recordIn(w.data("containers", id)))) })
	require.ErrorIs(t, unix.Kill(pid, 0), unix.ESRCH)
	require.NoDirExists(t, w.data("containers", id))
	w.clean("after the next engine")
}

func TestADirectoryThatIsNoContainersIsRemoved(t *testing.T) {
	w := open(t)
	stray := w.data("containers", "stray")
	w.replaced(func() { require.NoError(t, os.Mkdir(stray, 0o700)) })
	require.NoDirExists(t, stray)
}

// An engine that kept what a start makes beside the record.
func TestAContainerIsEndedWhereItWasStarted(t *testing.T) {
	w := open(t)
	id := w.create(request("sleep", "1000"))
	c, err := w.find(id)
	require.NoError(t, err)
	c.bundle = c.dir
	require.NoError(t, w.Start(w.ctx(), id))
	w.replaced(func() {})
	require.NoError(t, w.Kill(w.ctx(), id, "KILL"))
	require.NoError(t, w.Start(w.ctx(), id))
	require.NoError(t, w.Remove(w.ctx(), id, daemon.RemoveOptions{Force: true}))
	w.clean("started by an older engine")
}

// An engine that dies during a commit, or before it has noted a pause: SIGKILL does nothing to a frozen process.
func TestAContainerThatWasLeftFrozenGoesOn(t *testing.T) {
	w := open(t)
	id := w.create(request("sleep", "1000"))
	require.NoError(t, w.Start(w.ctx(), id))
	w.replaced(func() { require.NoError(t, w.group(id).Freeze()) })
	frozen, err := w.group(id).Frozen()
	require.NoError(t, err)
	require.False(t, frozen)
	require.NoError(t, w.Kill(w.ctx(), id, "KILL"))

	require.NoError(t, w.Start(w.ctx(), id))
	require.NoError(t, w.Pause(w.ctx(), id))
	w.replaced(func() {})
	frozen, err = w.group(id).Frozen()
	require.NoError(t, err)
	require.True(t, frozen, "one that was paused still is")
	require.NoError(t, w.Kill(w.ctx(), id, "KILL"))
}

// As on a full disk.
func TestAStartThatCannotBeWrittenDownLeavesNothing(t *testing.T) {
	w := open(t)
	id := w.create(request("sleep", "1000"))
	require.NoError(t, os.Mkdir(recordIn(w.data("containers", id))+".new", 0o700))
	until, err := w.Wait(w.ctx(), id, container.WaitConditionNextExit)
	require.NoError(t, err)
	require.ErrorIs(t, w.Start(w.ctx(), id), unix.EISDIR)
	require.EqualValues(t, 128+9, w.receive(until))
	require.NoError(t, w.Remove(w.ctx(), id, daemon.RemoveOptions{}))
	w.clean("not written down")
}
