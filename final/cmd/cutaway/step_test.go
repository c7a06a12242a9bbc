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
	"testing"
	"time"

	"cutaway/chapters/lab"

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
	links, err := lab.Links()
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
	dir := shortDir(t)
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

const prompt = `n c s m q>`

func TestAShellBetweenStepsIsWhereTheContainerIs(t *testing.T) {
	x := atTerminal(t, "run", "--rm", "-it", "--step", image, "sh")
	x.Sees(prompt)
	x.Types("s\n").Sees("on the host] / # ")
	x.Types("ls /sys/fs/cgroup && exit\n").Sees(prompt)
	x.Types("c network.Up\n").Sees(prompt)
	x.Types("s\n").Sees("in its network] / # ")
	x.Types("exit\n").Sees(prompt)
	x.Types("c pivot\n").Sees(prompt)
	x.Types("s\n").Sees("inside] / # ")
	x.Types("sleep 1000\n").Sees("sleep 1000")
	typesUntil(t, x, "\x03", "inside] / # ") // Ctrl-C is for what runs in the shell
	x.Types("exit\n").Sees(prompt)
	x.Types("n\n").Sees(prompt)
	x.Types("s\n").Sees("inside] / # ")
	x.Types("ls /; echo $$ $?; exit\n")
	x.Sees(prompt)
	require.NotContains(t, x.Text(), "boot", "the root is the container's")
	x.Types("c\n").Sees("/ # ")
	x.Types("echo $((6*7)); exit 9\n").Sees("42")
	require.Equal(t, 9, x.Ends())
}

func TestCtrlCAtTheQuestionUndoesEverything(t *testing.T) {
	x := atTerminal(t, "run", "--rm", "-it", "--step", image, "sh")
	x.Sees(prompt)
	x.Types("c pivot\n").Sees(prompt)
	x.Types("\x03").Sees("interrupted; everything is undone")
	require.Equal(t, 130, x.Ends())
}

func TestWhoStandsBetweenStepsIsToldOfAnEndFromElsewhere(t *testing.T) {
	const name = "ended-elsewhere"
	x := atTerminal(t, "run", "--rm", "--name", name, "--step", image, "sh")
	x.Sees(prompt)
	x.Types("c pivot\n").Sees(prompt)
	require.Error(t, exec.Command(filepath.Join(bin, "cutaway"), "-H", host, "rename", name, "other").Run(), "it does not wait")
	cutaway(t, "stop", name)
	x.Sees("everything is undone")
	x.Sees("explain --error container.Stepped")
	require.Equal(t, 125, x.Ends())
	require.Empty(t, cutaway(t, "ps", "-aq", "--filter", "name="+name))
}

func TestAnErrorBeforeTheFirstStopSaysWhereToReadOn(t *testing.T) {
	id := cutaway(t, "run", "-d", "-p", "18099:80", image, "sleep", "1000")
	out, err := exec.Command(filepath.Join(bin, "cutaway"), "-H", host, "run", "--rm", "--step", "-p", "18099:80", image, "true").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "see chapters/06-network.md, or: cutaway explain --error port.Allocated")
	cutaway(t, "rm", "-f", id)
}
