package cgroups

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"cutaway/chapters/lab"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if action := os.Getenv("CUTAWAY_HELPER"); action != "" {
		os.Exit(help(action, os.Getenv("CUTAWAY_HELPER_ARG")))
	}
	lab.Main(m, lab.RootOrSandbox)
}

// box is a group of the test's own, and the steps that made it.
type box struct {
	t     *testing.T
	sys   *System
	name  string
	steps []Step
	Group
}

// newBox makes a group with limits; it is undone at the end.
func newBox(t *testing.T, l Limits) box {
	t.Helper()
	return newBoxNamed(t, lab.CgroupName(t)+"/box", l)
}

func newBoxNamed(t *testing.T, name string, l Limits) box {
	t.Helper()
	lab.NeedRoot(t)
	sys, err := Detect()
	require.NoError(t, err)
	steps, err := sys.Steps(name, l)
	require.NoError(t, err)
	create := steps[0].(Create)
	t.Cleanup(func() { require.NoError(t, create.Undo()) })
	for _, s := range steps {
		require.NoError(t, s.Do(), "%s", s)
	}
	return box{t, sys, name, steps, create.Group()}
}

// read returns the first of the files that exists in the group.
func (b box) read(names ...string) string {
	b.t.Helper()
	file, err := b.file(names...)
	require.NoError(b.t, err)
	text, err := os.ReadFile(file)
	require.NoError(b.t, err)
	return string(text)
}

// v2 says whether a controller is with v2 on this machine.
func (b box) v2(controller string) bool {
	h, err := b.sys.hierarchy(controller)
	require.NoError(b.t, err)
	return h.Version == V2
}

// helper is a process in the group: this test binary again.
type helper struct {
	*exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Scanner
}

// command prepares a helper that joins the group and acts; see help.
func (b box) command(action, arg string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	join, err := json.Marshal(b.sys.Join(b.name))
	require.NoError(b.t, err)
	cmd.Env = append(os.Environ(), "CUTAWAY_HELPER="+action, "CUTAWAY_HELPER_ARG="+arg, "CUTAWAY_HELPER_JOIN="+string(join))
	return cmd
}

// start starts a helper and waits until it says "ready".
func (b box) start(action, arg string) helper {
	b.t.Helper()
	cmd := b.command(action, arg)
	stdin, err := cmd.StdinPipe()
	require.NoError(b.t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(b.t, err)
	cmd.Stderr = os.Stderr
	require.NoError(b.t, cmd.Start())
	h := helper{cmd, stdin, bufio.NewScanner(stdout)}
	b.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	require.Equal(b.t, "ready", h.line(b.t))
	return h
}

func (h helper) line(t *testing.T) string {
	t.Helper()
	require.True(t, h.out.Scan(), "the helper ended: %v", h.out.Err())
	return h.out.Text()
}

// run runs a helper to its end.
func (b box) run(action, arg string) (string, error) {
	out, err := b.command(action, arg).CombinedOutput()
	return string(out), err
}

// disk finds a file of 1 MiB on a disk, and the disk's numbers: one that it
// writes, or where temporary files are not on a disk, a disk itself.
func disk(t *testing.T) (path string, major, minor int64) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, make([]byte, 1<<20), 0o600))
	var st unix.Stat_t
	require.NoError(t, unix.Stat(path, &st))
	dir := fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	if exists(dir + "/partition") { // limits are the whole disk's
		dir += "/.."
	}
	text, err := os.ReadFile(dir + "/dev")
	if err != nil {
		path = "/dev/vda"
		text, err = os.ReadFile("/sys/block/vda/dev")
		lab.NeedSupport(t, err, "")
	}
	_, err = fmt.Sscanf(string(text), "%d:%d", &major, &minor)
	require.NoError(t, err)
	unix.Sync()
	return path, major, minor
}

func hasV2(s *System) bool {
	for _, h := range s.Hierarchies {
		if h.Version == V2 {
			return true
		}
	}
	return false
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

// requireEvent waits for an event; others may come before.
func requireEvent(t *testing.T, events <-chan Event, want Event) {
	t.Helper()
	timeout := time.After(patient)
	for {
		select {
		case got, open := <-events:
			require.True(t, open, "closed before %v", want)
			if got == want {
				return
			}
		case <-timeout:
			t.Fatalf("no event %v", want)
		}
	}
}

func requireClosed(t *testing.T, events <-chan Event) {
	t.Helper()
	timeout := time.After(patient)
	for {
		select {
		case _, open := <-events:
			if !open {
				return
			}
		case <-timeout:
			t.Fatal("not closed")
		}
	}
}
