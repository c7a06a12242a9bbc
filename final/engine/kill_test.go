package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// kind is a container that takes another way through a start.
type kind struct {
	name  string
	shape func(*daemon.CreateRequest)
}

// kinds are killed at every step; the later ones, where a kill costs much, only
// at those that the ones before do not have.
var kinds = []kind{
	{"rich", func(r *daemon.CreateRequest) {
		r.Config.User = "1000"
		h := r.HostConfig
		h.Memory, h.NanoCPUs, h.PidsLimit = 64<<20, 5e8, new(int64(50))
		h.Binds, h.ReadonlyRootfs = []string{"vol1:/data"}, true
		h.PortBindings = network.PortMap{network.MustParsePort("80/tcp"): {{HostPort: "8080"}}}
	}},
	{"terminal, no network", func(r *daemon.CreateRequest) {
		r.Config.Tty = true
		r.HostConfig.NetworkMode = "none"
	}},
	{"the host's network", func(r *daemon.CreateRequest) { r.HostConfig.NetworkMode = "host" }},
	{"another container's network", func(r *daemon.CreateRequest) { r.HostConfig.NetworkMode = "container:" + other }},
}

// other is a container that runs all the time.
const other = "other"

func (k kind) request() daemon.CreateRequest {
	req := request("sleep", "1000")
	k.shape(&req)
	return req
}

// openBeside opens an engine in which the other container runs.
func openBeside(t *testing.T) *world {
	t.Helper()
	w := open(t)
	req := request("sleep", "1000")
	req.Name = other
	require.NoError(t, w.Start(w.ctx(), w.create(req)))
	w.others = traces(t, w.Engine)
	require.NotEmpty(t, w.others)
	return w
}

// steps is the names of the steps of a kind of container, but for those that
// the engine does only once.
func (w *world) steps(k kind) []string {
	w.t.Helper()
	id := w.create(k.request())
	data, err := w.Plan(w.ctx(), id)
	require.NoError(w.t, err)
	var p plan.Plan
	require.NoError(w.t, json.Unmarshal(data, &p))
	require.NoError(w.t, w.Remove(w.ctx(), id, daemon.RemoveOptions{Volumes: true}))
	var names []string
	for _, it := range p.Items[len(p.Of(plan.Base)):] {
		names = append(names, it.Name())
	}
	return names
}

// settled waits until a start that was disturbed has come to an end: nothing is
// left of it, or the container runs.
func (w *world) settled(id, when string) {
	w.t.Helper()
	var left []string
	quiet := func() bool {
		left = w.left()
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

// victims finds the process that is to be killed from the child's.
var victims = map[string]func(child int) int{
	"child": func(child int) int { return child },
	"shim":  parentOf,
}

func TestAChildOrShimThatIsKilledAtAnyStepLeavesNothing(t *testing.T) {
	w := openBeside(t)
	for victim, find := range victims {
		seen := map[[2]string]bool{} // steps, each with the one before
		for n, k := range kinds {
			names := w.steps(k)
			for at := slices.Index(names, "plan.Clone") + 1; at < len(names); at++ {
				pair := [2]string{names[at-1], names[at]}
				if n > 1 && seen[pair] {
					continue
				}
				seen[pair] = true
				id := w.create(k.request())
				c, err := w.find(id)
				require.NoError(t, err)
				step := 0
				_ = w.start(id, func(*plan.Item) error {
					if step >= at {
						_ = unix.Kill(find(c.childPID()), unix.SIGKILL)
					}
					step++
					return nil
				})
				w.settled(id, fmt.Sprintf("%s, %s killed at step %d", k.name, victim, at))
			}
		}
	}
}

// execute starts a process in a container, and calls before before each of its
// steps.
func execute(e *Engine, in string, before func(*Exec)) (*Exec, error) {
	id, err := e.ExecCreate(context.Background(), in, execRequest)
	if err != nil {
		return nil, err
	}
	x, err := e.findExec(id)
	if err != nil {
		return nil, err
	}
	x.before = func(*plan.Item) error {
		before(x)
		return nil
	}
	_, err = e.ExecStart(context.Background(), id, daemon.ExecStartOptions{Detach: true})
	return x, err
}

// execRequest is a process with a terminal, of another user.
var execRequest = container.ExecCreateRequest{Cmd: []string{"sleep", "1000"}, Tty: true, User: "1000"}

// alone waits until a container has no process but its first.
func (w *world) alone(id, when string) {
	w.t.Helper()
	file := filepath.Join(w.groups.Create(w.groupName(id)).Paths[0], "cgroup.procs")
	require.Eventually(w.t, func() bool {
		procs, err := os.ReadFile(file)
		return err == nil && strings.Count(string(procs), "\n") == 1
	}, patience, patience/1000, when)
}

func TestAChildOrShimOfAnExecThatIsKilledAtAnyStepLeavesNothing(t *testing.T) {
	w := openBeside(t)
	run := func() string {
		id := w.create(request("sleep", "1000"))
		require.NoError(t, w.Start(w.ctx(), id))
		return id
	}
	id := run()
	for victim, find := range victims {
		for at, count := 0, 1; at < count; at++ {
			when := fmt.Sprintf("%s of an exec killed at step %d", victim, at)
			step := 0
			x, err := execute(w.Engine, id, func(x *Exec) {
				count = len(x.plan.Of(plan.Inside))
				if step == at {
					_ = unix.Kill(find(x.pid), unix.SIGKILL)
				}
				step++
			})
			if victim == "shim" { // the container ends with it
				w.settled(id, when)
				id = run()
				continue
			}
			if err == nil { // it was killed before its last step, and that was execve
				<-x.ended
			}
			w.alone(id, when)
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

// victimEnv makes the test binary an engine that kills itself.
const victimEnv = "CUTAWAY_ENGINE_VICTIM"

// orders are for a victim.
type orders struct {
	Data, Run string // its roots
	Kind      string
	In        string // start a process in this container, instead of a container
	At        int    // step
}

// victim opens an engine, starts something and dies at a step.
func victim(text string) int {
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	e, err := Open(Options{DataRoot: o.Data, ExecRoot: o.Run})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	n := 0
	die := func() {
		if n == o.At {
			_ = unix.Kill(os.Getpid(), unix.SIGKILL)
			select {}
		}
		n++
	}
	if o.In != "" {
		_, err = execute(e, o.In, func(*Exec) { die() })
	} else {
		k := kinds[slices.IndexFunc(kinds, func(k kind) bool { return k.name == o.Kind })]
		var made container.CreateResponse
		if made, err = e.Create(context.Background(), k.request()); err == nil {
			err = e.start(made.ID, func(*plan.Item) error { die(); return nil })
		}
	}
	fmt.Fprintln(os.Stderr, "not killed:", err)
	return 3
}

// obey has another engine, in a process of its own, obey orders on our roots.
// The error is how it ended: by a signal, or with exit status 3 if it lived to
// the end.
func (w *world) obey(o orders) (string, error) {
	w.t.Helper()
	o.Data, o.Run = w.o.DataRoot, w.o.ExecRoot
	text, err := json.Marshal(o)
	require.NoError(w.t, err)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), victimEnv+"="+string(text))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// killed has an engine killed at a step, and opens the next one.
func (w *world) killed(o orders, when string) {
	w.t.Helper()
	w.replaced(func() {
		out, err := w.obey(o)
		require.ErrorContains(w.t, err, "killed", "%s: %s", when, out)
	})
}

func TestAnEngineThatIsKilledAtAnyStepLeavesNothingForTheNext(t *testing.T) {
	w := openBeside(t)
	for _, k := range kinds {
		for at := range w.steps(k) {
			when := fmt.Sprintf("%s, engine killed at step %d", k.name, at)
			w.killed(orders{Kind: k.name, At: at}, when)
			for _, c := range w.all() {
				if r := c.look(); r.Name != other {
					require.NotEqual(t, container.StateRunning, r.State.Status, when)
					w.settled(r.ID, when)
				}
			}
		}
	}
}

func TestAnEngineThatIsKilledAtAnyStepOfAnExecLeavesTheContainerAlone(t *testing.T) {
	w := openBeside(t)
	x, err := execute(w.Engine, other, func(*Exec) {})
	require.NoError(t, err)
	require.NoError(t, unix.Kill(x.pid, unix.SIGKILL))
	<-x.ended
	c, err := w.find(other)
	require.NoError(t, err)
	for at := range x.plan.Of(plan.Inside) {
		when := fmt.Sprintf("engine killed at step %d of an exec", at)
		w.killed(orders{In: other, At: at}, when)
		c, err := w.find(other)
		require.NoError(t, err)
		require.True(t, c.running(), when)
		w.alone(c.look().ID, when)
	}
	require.NoError(t, unix.Kill(c.look().State.PID, 0))
}
