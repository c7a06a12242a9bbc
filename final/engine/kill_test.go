package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	daemon "cutaway/07-daemon"
	"cutaway/final/plan"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// kinds of containers that take different ways through a start.
var kinds = map[string]func() daemon.CreateRequest{
	"rich": func() daemon.CreateRequest {
		req := request("sleep", "1000")
		req.Config.User = "1000"
		h := req.HostConfig
		h.Memory, h.NanoCPUs, h.PidsLimit = 64<<20, 5e8, new(int64(50))
		h.Binds, h.ReadonlyRootfs = []string{"vol1:/data"}, true
		h.PortBindings = network.PortMap{network.MustParsePort("80/tcp"): {{HostPort: "8080"}}}
		return req
	},
	"terminal": func() daemon.CreateRequest {
		req := request("sleep", "1000")
		req.Config.Tty = true
		req.HostConfig.NetworkMode = "none"
		return req
	},
}

// steps is how many steps a kind of container has.
func (w *world) steps(kind string) int {
	w.t.Helper()
	id := w.create(kinds[kind]())
	data, err := w.Plan(w.ctx(), id)
	require.NoError(w.t, err)
	var p plan.Plan
	require.NoError(w.t, json.Unmarshal(data, &p))
	require.NoError(w.t, w.Remove(w.ctx(), id, daemon.RemoveOptions{Volumes: true}))
	return len(p.Items) - len(p.Of(plan.Base))
}

// settled waits until a start that was disturbed has come to an end: nothing is
// left of it, or the container runs.
func (w *world) settled(id, when string) {
	w.t.Helper()
	var left []string
	quiet := func() bool {
		left = traces(w.t, w.Engine)
		c, err := w.find(id)
		return len(left) == 0 || err == nil && (onlySocket(left) || c.running() && unix.Kill(c.look().State.PID, 0) == nil)
	}
	ok := quiet()
	for until := time.Now().Add(patience); !ok && time.Now().Before(until); ok = quiet() {
		time.Sleep(patience / 1000)
	}
	require.True(w.t, ok, "%s: left are %v", when, left)
	require.NoError(w.t, w.Remove(w.ctx(), id, daemon.RemoveOptions{Force: true, Volumes: true}), when)
	w.clean(when)
}

func TestAChildOrShimThatIsKilledAtAnyStepLeavesNothing(t *testing.T) {
	w := open(t)
	victims := map[string]func(child int) int{
		"child": func(child int) int { return child },
		"shim":  parentOf,
	}
	for kind := range kinds {
		for victim, find := range victims {
			for at := range w.steps(kind) {
				id := w.create(kinds[kind]())
				c, err := w.find(id)
				require.NoError(t, err)
				n := 0
				_ = w.start(id, func(*plan.Item) error {
					if child := c.childPID(); n >= at && child != 0 {
						_ = unix.Kill(find(child), unix.SIGKILL)
					}
					n++
					return nil
				})
				w.settled(id, fmt.Sprintf("%s, %s killed at step %d", kind, victim, at))
			}
		}
	}
}

// parentOf reads a process's parent from /proc.
func parentOf(pid int) int {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "PPid:"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(v))
			return n
		}
	}
	return pid
}

// victimEnv makes the test binary an engine that kills itself: roots, kind of
// container and step, with colons between.
const victimEnv = "CUTAWAY_ENGINE_VICTIM"

// victim opens an engine, starts a container and dies at a step.
func victim(orders string) int {
	part := strings.Split(orders, ":")
	at, err := strconv.Atoi(part[2])
	if err != nil {
		return 2
	}
	e, err := Open(Options{DataRoot: filepath.Join(part[0], "data"), ExecRoot: filepath.Join(part[0], "run")})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	resp, err := e.Create(context.Background(), kinds[part[1]]())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	n := 0
	err = e.start(resp.ID, func(*plan.Item) error {
		if n == at {
			_ = unix.Kill(os.Getpid(), unix.SIGKILL)
			select {}
		}
		n++
		return nil
	})
	fmt.Fprintln(os.Stderr, "not killed:", err)
	return 3
}

func TestAnEngineThatIsKilledAtAnyStepLeavesNothingForTheNext(t *testing.T) {
	w := open(t)
	dir, counts := filepath.Dir(w.o.DataRoot), map[string]int{}
	for kind := range kinds {
		counts[kind] = w.steps(kind)
	}
	for kind, count := range counts {
		for at := range count {
			require.NoError(t, w.Close())
			when := fmt.Sprintf("%s, engine killed at step %d", kind, at)
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s:%s:%d", victimEnv, dir, kind, at))
			out, err := cmd.CombinedOutput()
			require.ErrorContains(t, err, "killed", "%s: %s", when, out)
			next, err := Open(w.o)
			require.NoError(t, err, when)
			w.Engine = next
			for _, c := range w.all() {
				require.NotEqual(t, container.StateRunning, c.look().State.Status, when)
				w.settled(c.look().ID, when)
			}
		}
	}
}
