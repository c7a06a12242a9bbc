package daemon_test

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"cutaway/07-daemon/memory"
	"cutaway/chapters/lab"
)

// The stock client is the judge: what it cannot work with is not Docker's API.
func TestTheDockerCommandLineWorks(t *testing.T) {
	lab.NeedProgram(t, "docker")
	testscript.Run(t, testscript.Params{
		Dir:      "testdata/docker",
		Deadline: time.Now().Add(4 * patience),
		Setup: func(env *testscript.Env) error {
			a := serve(env.T().(testing.TB), memory.New().API())
			env.Setenv("DOCKER_HOST", "unix://"+a.socket)
			env.Setenv("DOCKER_CONFIG", env.WorkDir)
			return nil
		},
	})
}

// terminal starts a docker command at a terminal.
func (a *api) terminal(args ...string) *lab.Terminal {
	a.t.Helper()
	cmd := exec.Command("docker", args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST=unix://"+a.socket, "DOCKER_CONFIG="+a.t.TempDir())
	return lab.AtTerminal(a.t, cmd)
}

// raw is terminal that waits until docker has taken the terminal over. Before, the kernel echoes
// what is typed and makes a signal of Ctrl-C.
func (a *api) raw(args ...string) *lab.Terminal {
	a.t.Helper()
	x := a.terminal(args...)
	require.Eventually(a.t, x.IsRaw, patience, time.Millisecond)
	return x
}

func TestDockerInATerminal(t *testing.T) {
	lab.NeedProgram(t, "docker")
	a := serveMemory(t)

	x := a.terminal("run", "--rm", "-it", "toolbox", "stty")
	x.Sees("24 80")
	require.Equal(t, 0, x.Ends())

	x = a.raw("run", "-it", "--name", "shell", "toolbox", "cat")
	x.Types("hello").Sees("hello")
	x.Types("\x03").Sees("\x03") // Ctrl-C is a byte like any other: the container's terminal makes a signal of it
	x.Types("\x10\x11")
	require.Equal(t, 0, x.Ends(), "detached")
	require.Equal(t, "running", a.state("shell"))

	x = a.raw("attach", "--detach-keys", "ctrl-x,d", "shell")
	x.Types("again").Sees("again")
	x.Types("\x18d")
	require.NotEqual(t, 0, x.Ends(), "docker attach tells that it was left")
	require.Equal(t, "running", a.state("shell"))

	x = a.raw("exec", "-it", "shell", "cat")
	x.Types("inside").Sees("inside")
	x.Types("\x10\x11")
	x.Ends()
	require.Equal(t, "running", a.state("shell"))

	x = a.raw("attach", "shell")
	x.Types("watching").Sees("watching")
	require.Equal(t, 204, a.do("POST", "/containers/shell/kill").StatusCode)
	require.Equal(t, 137, x.Ends())
}

func (a *api) state(name string) string {
	a.t.Helper()
	return gjson(a.t, a.do("GET", "/containers/"+name+"/json").body)["State"].(map[string]any)["Status"].(string)
}

// A signal to `docker run` is a signal to the container.
func TestDockerRunPassesSignalsOn(t *testing.T) {
	lab.NeedProgram(t, "docker")
	a := serveMemory(t)
	cmd := exec.Command("docker", "run", "--name", "sleeper", "toolbox", "sleep", "1000")
	cmd.Env = append(os.Environ(), "DOCKER_HOST=unix://"+a.socket, "DOCKER_CONFIG="+t.TempDir())
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool {
		r := a.do("GET", "/containers/sleeper/json")
		return r.StatusCode == 200 && a.state("sleeper") == string(container.StateRunning)
	}, patience, 10*time.Millisecond)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	require.Equal(t, 130, cmd.ProcessState.ExitCode())
}
