package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// halfway is a client that stands before a step of a start.
type halfway struct {
	cmd   *exec.Cmd
	input io.WriteCloser
	id    string
	child int // process; 0 if there is none yet
}

// halfwayTo starts a container and stops before the step of that name.
func halfwayTo(t *testing.T, at, host string) *halfway {
	t.Helper()
	h := &halfway{cmd: exec.Command(filepath.Join(bin, "cutaway"), "-H", host, "run", "--rm", "-m", "64m", "--step",
		"--step-at", at, "--step-run", "echo $CUTAWAY_ID $CUTAWAY_PID", image, "true")}
	var err error
	h.input, err = h.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := h.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, h.cmd.Start())
	t.Cleanup(func() {
		if h.cmd.ProcessState == nil { // the test has failed
			_ = h.cmd.Process.Kill()
			_ = h.cmd.Wait()
		}
	})
	_, err = fmt.Fprintln(h.input, "c "+at)
	require.NoError(t, err)
	line := make([]byte, 100)
	n, err := out.Read(line)
	require.NoError(t, err)
	id, child, _ := strings.Cut(strings.TrimSpace(string(line[:n])), " ")
	h.id = id
	h.child, _ = strconv.Atoi(child) // "" before there is one
	return h
}

// left lists what there still is of a container.
func left(t *testing.T, id string, child int) []string {
	t.Helper()
	var found []string
	for line := range strings.Lines(read(t, "/proc/self/mountinfo")) {
		if strings.Contains(line, id) {
			found = append(found, line)
		}
	}
	for _, pattern := range []string{"/sys/fs/cgroup/*/", "/sys/fs/cgroup/*/*/", "/sys/fs/cgroup/*/*/*/"} {
		groups, err := filepath.Glob(pattern + id)
		require.NoError(t, err)
		found = append(found, groups...)
	}
	links, err := netlink.LinkList()
	require.NoError(t, err)
	for _, link := range links {
		if strings.Contains(link.Attrs().Name, id[:7]) {
			found = append(found, link.Attrs().Name)
		}
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, file := range processes {
		if cmdline, _ := os.ReadFile(file); bytes.Contains(cmdline, []byte("shim\x00")) && bytes.Contains(cmdline, []byte(id)) {
			found = append(found, file)
		}
	}
	if child != 0 && unix.Kill(child, 0) == nil {
		found = append(found, fmt.Sprintf("process %d", child))
	}
	return found
}

// nothingLeft waits until a container is gone.
func nothingLeft(t *testing.T, id string, child int) {
	t.Helper()
	var found []string
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if found = left(t, id, child); len(found) == 0 {
			return
		}
	}
	require.Empty(t, found)
}

// places are steps before which a start is ended, and whether there is a child by then.
var places = map[string]bool{"unionfs.Mount": false, "network.Address": false, "namespaces.Join": true, "chroot.Pivot": true, "plan.Exec": true}

func TestAClientThatEndsBetweenStepsLeavesNothing(t *testing.T) {
	ends := map[string]func(*halfway) error{
		"killed":      func(h *halfway) error { return h.cmd.Process.Kill() },
		"terminated":  func(h *halfway) error { return h.cmd.Process.Signal(unix.SIGTERM) },
		"interrupted": func(h *halfway) error { return h.cmd.Process.Signal(unix.SIGINT) },
		"quit":        func(h *halfway) error { _, err := fmt.Fprintln(h.input, "q"); return err },
		"end of file": func(h *halfway) error { return h.input.Close() },
	}
	for name, end := range ends {
		for at, born := range places {
			t.Run(name+" at "+at, func(t *testing.T) {
				h := halfwayTo(t, at, host)
				require.Equal(t, born, h.child != 0)
				if at != "unionfs.Mount" { // which is the first
					require.NotEmpty(t, left(t, h.id, h.child), "there is something to be undone")
				}
				require.NoError(t, end(h))
				require.Error(t, h.cmd.Wait())
				nothingLeft(t, h.id, h.child)
			})
		}
	}
}

func TestAnEngineThatIsKilledBetweenStepsIsCleanedUpAfterByTheNext(t *testing.T) {
	dir := t.TempDir()
	var bridge string
	for _, at := range []string{"network.Address", "chroot.Pivot"} {
		d, err := startDaemon(dir)
		require.NoError(t, err)
		h := halfwayTo(t, at, d.host)
		bridge = bridgeOf(t, d.host)
		require.NoError(t, d.cmd.Process.Kill())
		require.Error(t, d.cmd.Wait())
		_, _ = fmt.Fprintln(h.input) // it waits for the user, and has not noticed
		require.Error(t, h.cmd.Wait())
		require.Equal(t, 125, h.cmd.ProcessState.ExitCode())
		require.NotEmpty(t, left(t, h.id, 0))
		d, err = startDaemon(dir)
		require.NoError(t, err)
		nothingLeft(t, h.id, h.child)
		require.Empty(t, output(t, filepath.Join(bin, "cutaway"), "-H", d.host, "ps", "-aq"))
		require.NoError(t, d.cmd.Process.Signal(unix.SIGTERM))
		require.NoError(t, d.cmd.Wait())
	}
	link, err := netlink.LinkByName(bridge)
	require.NoError(t, err)
	require.NoError(t, netlink.LinkDel(link))
}

// bridgeOf is the name of an engine's bridge.
func bridgeOf(t *testing.T, host string) string {
	t.Helper()
	id := strings.TrimSpace(output(t, filepath.Join(bin, "cutaway"), "-H", host, "ps", "-aq"))
	plan := output(t, filepath.Join(bin, "cutaway"), "-H", host, "explain", id)
	_, after, _ := strings.Cut(plan, "ip link show ")
	name, _, _ := strings.Cut(after, " ")
	return name
}

// screen is a terminal with a client on it.
type screen struct {
	t        *testing.T
	terminal *os.File
	mu       sync.Mutex // guards text
	text     string
}

// onScreen starts a client on a terminal.
func onScreen(t *testing.T, args ...string) (*screen, *exec.Cmd) {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "cutaway"), append([]string{"-H", host}, args...)...)
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 80})
	require.NoError(t, err)
	s := &screen{t: t, terminal: terminal}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, err := terminal.Read(buf)
			s.mu.Lock()
			s.text += string(buf[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended, unless the test failed
		_ = cmd.Wait()
		<-done
		require.NoError(t, terminal.Close())
	})
	return s, cmd
}

// until waits for a text, and forgets what was before its end.
func (s *screen) until(want string) (before string) {
	s.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		var found bool
		text := s.text
		if before, s.text, found = strings.Cut(s.text, want); found {
			s.mu.Unlock()
			return before
		}
		s.text = text
		s.mu.Unlock()
	}
	require.Fail(s.t, "the terminal does not show "+want, "%s", s.text)
	return ""
}

func (s *screen) say(line string) {
	s.t.Helper()
	_, err := s.terminal.WriteString(line)
	require.NoError(s.t, err)
}

const prompt = "n c s m q>"

func TestAShellBetweenStepsIsWhereTheContainerIs(t *testing.T) {
	s, cmd := onScreen(t, "run", "--rm", "-it", "--step", image, "sh")
	s.until(prompt)
	s.say("s\n")
	s.until("on the host] / # ")
	s.say("ls /sys/fs/cgroup && exit\n")
	s.until(prompt)
	s.say("c network.Up\n")
	s.until(prompt)
	s.say("s\n")
	s.until("in its network] / # ")
	s.say("exit\n")
	s.until(prompt)
	s.say("c pivot\n")
	s.until(prompt)
	s.say("s\n")
	s.until("inside] / # ")
	s.say("sleep 1000\n")
	s.until("sleep 1000")
	s.say("\x03") // Ctrl-C is for what runs in the shell
	s.until("inside] / # ")
	s.say("exit\n")
	s.until(prompt)
	s.say("n\n")
	s.until(prompt)
	s.say("s\n")
	s.until("inside] / # ")
	s.say("ls /; echo $$ $?; exit\n")
	require.NotContains(t, s.until(prompt), "boot", "the root is the container's")
	s.say("c\n")
	s.until("/ # ")
	s.say("echo $((6*7)); exit 9\n")
	s.until("42")
	require.Error(t, cmd.Wait())
	require.Equal(t, 9, cmd.ProcessState.ExitCode())
}

func TestCtrlCAtTheQuestionUndoesEverything(t *testing.T) {
	s, cmd := onScreen(t, "run", "--rm", "-it", "--step", image, "sh")
	s.until(prompt)
	s.say("c pivot\n")
	s.until(prompt)
	s.say("\x03")
	s.until("interrupted; everything is undone")
	require.Error(t, cmd.Wait())
	require.Equal(t, 130, cmd.ProcessState.ExitCode())
}

func TestWhoStandsBetweenStepsIsToldOfAnEndFromElsewhere(t *testing.T) {
	const name = "ended-elsewhere"
	s, cmd := onScreen(t, "run", "--rm", "--name", name, "--step", image, "sh")
	s.until(prompt)
	s.say("c pivot\n")
	s.until(prompt)
	require.Error(t, exec.Command(filepath.Join(bin, "cutaway"), "-H", host, "rename", name, "other").Run(), "it does not wait")
	cutaway(t, "stop", name)
	s.until("everything is undone")
	s.until("explain --error container.Stepped")
	require.Error(t, cmd.Wait())
	require.Equal(t, 125, cmd.ProcessState.ExitCode())
	require.Empty(t, cutaway(t, "ps", "-aq", "--filter", "name="+name))
}

func TestAnErrorBeforeTheFirstStopSaysWhereToReadOn(t *testing.T) {
	id := cutaway(t, "run", "-d", "-p", "18099:80", image, "sleep", "1000")
	out, err := exec.Command(filepath.Join(bin, "cutaway"), "-H", host, "run", "--rm", "--step", "-p", "18099:80", image, "true").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "see chapters/06-network.md, or: cutaway explain --error port.Allocated")
	cutaway(t, "rm", "-f", id)
}
