package engine

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	daemon "cutaway/07-daemon"
	"cutaway/final/shim"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// waiting waits until one child waits for orders, and returns its number.
func (w *world) waiting() int {
	w.t.Helper()
	var list []string
	require.Eventually(w.t, func() bool {
		list = nil
		all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, path := range all {
			if line, _ := os.ReadFile(path); string(line) == "cutaway\x00init\x00" {
				list = append(list, filepath.Base(filepath.Dir(path)))
			}
		}
		return len(list) == 1
	}, patience, 5*time.Millisecond, "%v", list)
	pid, err := strconv.Atoi(list[0])
	require.NoError(w.t, err)
	return pid
}

// pidOf is a running container's process.
func (w *world) pidOf(id string) int {
	w.t.Helper()
	got, err := w.Inspect(w.ctx(), id, daemon.InspectOptions{})
	require.NoError(w.t, err)
	return got.State.Pid
}

func TestAStartTakesTheChildThatIsReady(t *testing.T) {
	w := open(t)
	start := func(req daemon.CreateRequest) int {
		id := w.create(req)
		require.NoError(t, w.Start(w.ctx(), id))
		return w.pidOf(id)
	}
	ready := w.waiting()
	require.Equal(t, ready, start(request("sleep", "1000")))

	// A terminal needs a child of another kind: the one that waits ends, and the next is of that kind.
	withTerminal := request("sleep", "1000")
	withTerminal.Config.Tty = true
	ready = w.waiting()
	require.NotEqual(t, ready, start(withTerminal))
	require.Eventually(t, func() bool { return unix.Kill(ready, 0) != nil }, patience, 5*time.Millisecond)
	require.Equal(t, w.waiting(), start(withTerminal))

	// One that was killed is replaced, and no zombie until then.
	ready = w.waiting()
	require.NoError(t, unix.Kill(ready, unix.SIGKILL))
	require.Eventually(t, func() bool { return unix.Kill(ready, 0) != nil }, patience, 5*time.Millisecond)
	require.NotEqual(t, ready, start(withTerminal))

	// It goes with the engine.
	ready = w.waiting()
	require.NoError(t, w.dropSpare())
	require.Eventually(t, func() bool { return unix.Kill(ready, 0) != nil }, patience, 5*time.Millisecond)
}

func TestAChildThatCannotBeReadyHindersNoStart(t *testing.T) {
	w := open(t)
	w.waiting()
	require.NoError(t, w.dropSpare())
	w.likely = shim.Spawn{PIDNamespace: "/nowhere"}
	w.keepSpare()
	require.NoError(t, w.Start(w.ctx(), w.create(request("sleep", "1000"))))
}
