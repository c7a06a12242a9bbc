package daemon_test

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/moby/moby/api/types/container"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

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

// terminal is a docker command in a terminal of 40 rows and 100 columns.
type terminal struct {
	t   testing.TB
	tty *os.File
	cmd *exec.Cmd
}

func (a *api) terminal(args ...string) *terminal {
	a.t.Helper()
	cmd := exec.Command("docker", args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST=unix://"+a.socket, "DOCKER_CONFIG="+a.t.TempDir())
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 100})
	require.NoError(a.t, err)
	a.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		tty.Close()
	})
	return &terminal{a.t, tty, cmd}
}

// raw waits until docker has taken the terminal over. Before, the kernel echoes
// what is typed and makes a signal of Ctrl-C.
func (x *terminal) raw() *terminal {
	x.t.Helper()
	conn, err := x.tty.SyscallConn()
	require.NoError(x.t, err)
	require.Eventually(x.t, func() (raw bool) {
		return conn.Control(func(fd uintptr) {
			mode, err := unix.IoctlGetTermios(int(fd), unix.TCGETS)
			raw = err == nil && mode.Lflag&unix.ICANON == 0
		}) == nil && raw
	}, patience, time.Millisecond)
	return x
}

// expect reads until want has come.
func (x *terminal) expect(want string) {
	x.t.Helper()
	stop := time.AfterFunc(patience, func() { _ = x.cmd.Process.Kill() })
	defer stop.Stop()
	var got strings.Builder
	buf := make([]byte, 1)
	for !strings.Contains(got.String(), want) {
		_, err := io.ReadFull(x.tty, buf)
		require.NoError(x.t, err, "after %q, waiting for %q", got.String(), want)
		got.Write(buf)
	}
}

func (x *terminal) say(s string) {
	x.t.Helper()
	_, err := io.WriteString(x.tty, s)
	require.NoError(x.t, err)
}

// code is the exit code of the command.
func (x *terminal) code() int {
	x.t.Helper()
	stop := time.AfterFunc(patience, func() { _ = x.cmd.Process.Kill() })
	defer stop.Stop()
	go func() { _, _ = io.Copy(io.Discard, x.tty) }() // or the command blocks when the terminal is full
	_ = x.cmd.Wait()
	return x.cmd.ProcessState.ExitCode()
}

func TestDockerInATerminal(t *testing.T) {
	lab.NeedProgram(t, "docker")
	a := serveMemory(t)

	x := a.terminal("run", "--rm", "-it", "toolbox", "stty")
	x.expect("40 100")
	require.Equal(t, 0, x.code())

	x = a.terminal("run", "-it", "--name", "shell", "toolbox", "cat").raw()
	x.say("hello")
	x.expect("hello")
	x.say("\x03") // Ctrl-C is a byte like any other: the container's terminal makes a signal of it
	x.expect("\x03")
	x.say("\x10\x11")
	require.Equal(t, 0, x.code(), "detached")
	require.Equal(t, "running", a.state("shell"))

	x = a.terminal("attach", "--detach-keys", "ctrl-x,d", "shell").raw()
	x.say("again")
	x.expect("again")
	x.say("\x18d")
	require.NotEqual(t, 0, x.code(), "docker attach tells that it was left")
	require.Equal(t, "running", a.state("shell"))

	x = a.terminal("exec", "-it", "shell", "cat").raw()
	x.say("inside")
	x.expect("inside")
	x.say("\x10\x11")
	x.code()
	require.Equal(t, "running", a.state("shell"))

	x = a.terminal("attach", "shell").raw()
	x.say("watching")
	x.expect("watching")
	require.Equal(t, 204, a.do("POST", "/containers/shell/kill").StatusCode)
	require.Equal(t, 137, x.code())
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
