package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// client runs the client with pipes.
func client(args ...string) *exec.Cmd {
	return exec.Command(filepath.Join(bin, "cutaway"), append([]string{"-H", host}, args...)...)
}

// newName is a container's name that no other test has.
func newName(t *testing.T) string {
	name := fmt.Sprintf("t-%d", time.Now().UnixNano())
	t.Cleanup(func() { _ = client("rm", "-f", name).Run() })
	return name
}

// terminal is the client at a terminal.
type terminal struct {
	t    *testing.T
	pty  *os.File
	tty  *os.File // the client's side
	cmd  *exec.Cmd
	done chan error

	mu   sync.Mutex
	seen bytes.Buffer
}

// atTerminal starts the client at a terminal of 24 lines and 80 columns.
func atTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	x := &terminal{t: t, cmd: client(args...), done: make(chan error, 1)}
	var err error
	x.pty, x.tty, err = pty.Open()
	require.NoError(t, err)
	require.NoError(t, pty.Setsize(x.pty, &pty.Winsize{Rows: 24, Cols: 80}))
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = x.tty, x.tty, x.tty
	x.cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, x.cmd.Start())
	t.Cleanup(func() {
		_ = x.cmd.Process.Kill()
		_, _ = x.pty.Close(), x.tty.Close()
	})
	go func() { _, _ = io.Copy(x, x.pty) }()
	go func() { x.done <- x.cmd.Wait() }()
	return x
}

// Write takes what appears on the terminal.
func (x *terminal) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.seen.Write(p)
}

// types forgets what has been seen and types.
func (x *terminal) types(keys string) *terminal {
	x.t.Helper()
	x.mu.Lock()
	x.seen.Reset()
	x.mu.Unlock()
	_, err := x.pty.WriteString(keys)
	require.NoError(x.t, err)
	return x
}

// text is what has appeared since the last keys.
func (x *terminal) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return strings.ReplaceAll(x.seen.String(), "\r\n", "\n")
}

// sees waits until the pattern matches.
func (x *terminal) sees(pattern string) {
	x.t.Helper()
	re := regexp.MustCompile(pattern)
	for begin := time.Now(); !re.MatchString(x.text()); time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > patience {
			x.t.Fatalf("waiting for %q, seen:\n%s", pattern, x.text())
		}
	}
}

// ends waits for the client and returns its exit status.
func (x *terminal) ends() int {
	x.t.Helper()
	select {
	case <-x.done:
		return x.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		x.t.Fatalf("the client does not end; seen:\n%s", x.text())
	}
	return -1
}

// isRaw reports whether the terminal hands Ctrl-C over as a key.
func (x *terminal) isRaw() bool {
	state, err := unix.IoctlGetTermios(int(x.tty.Fd()), unix.TCGETS)
	require.NoError(x.t, err)
	return state.Lflag&unix.ISIG == 0
}

func TestTerminalOfAContainerIsTheUsers(t *testing.T) {
	x := atTerminal(t, "run", "--rm", "-it", image, "sh")
	x.sees(`/ # $`)
	require.True(t, x.isRaw())
	x.types("stty size; tty\r").sees(`\n24 80\n/dev/pts/0\n/ # $`)

	// A changed size arrives (SIGWINCH).
	require.NoError(t, pty.Setsize(x.pty, &pty.Winsize{Rows: 50, Cols: 132}))
	for begin := time.Now(); ; {
		x.types("stty size\r").sees(`\n\d+ \d+\n/ # $`)
		if strings.Contains(x.text(), "50 132") {
			break
		}
		require.Less(t, time.Since(begin), patience)
	}

	// Ctrl-C ends what runs there, and nothing else.
	x.types("sleep 1000\r").sees(`sleep 1000\n$`)
	typesUntil(t, x, "\x03", `\^C\n/ # $`)
	x.types("echo $?\r").sees(`\n130\n/ # $`)
	x.types("exit 5\r")
	require.Equal(t, 5, x.ends())
	require.False(t, x.isRaw(), "the terminal is not as it was")
}

// typesUntil types a key until the pattern appears: a key that comes before a program is there goes nowhere.
func typesUntil(t *testing.T, x *terminal, key, pattern string) {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for begin := time.Now(); time.Since(begin) < patience; {
		_, err := x.pty.WriteString(key)
		require.NoError(t, err)
		for wait := time.Now(); time.Since(wait) < time.Second; time.Sleep(10 * time.Millisecond) {
			if re.MatchString(x.text()) {
				return
			}
		}
	}
	t.Fatalf("waiting for %q, seen:\n%s", pattern, x.text())
}

func TestTerminalOfAnExec(t *testing.T) {
	name := newName(t)
	require.NoError(t, client("run", "-d", "--name", name, image, "sleep", "1000").Run())
	x := atTerminal(t, "exec", "-it", name, "sh")
	x.sees(`/ # $`)
	x.types("stty size; exit 6\r").sees(`\n24 80\n`)
	require.Equal(t, 6, x.ends())
	require.False(t, x.isRaw())
}

func TestDetachKeysLeaveTheContainerRunning(t *testing.T) {
	name := newName(t)
	x := atTerminal(t, "run", "-it", "--name", name, image, "sh")
	x.sees(`/ # $`)
	x.types("\x10\x11") // Ctrl-P Ctrl-Q
	require.Equal(t, 0, x.ends())
	require.False(t, x.isRaw())

	out, err := client("inspect", "-f", "{{.State.Running}}", name).Output()
	require.NoError(t, err)
	require.Equal(t, "true\n", string(out))

	again := atTerminal(t, "attach", "--detach-keys", "ctrl-x,x", name)
	again.types("echo back\r").sees(`\nback\n/ # $`)
	again.types("\x18x")
	require.Equal(t, 0, again.ends())
}

func TestTerminalIsRestoredWhenTheContainerIsKilled(t *testing.T) {
	name := newName(t)
	x := atTerminal(t, "run", "-it", "--name", name, image, "sh")
	x.sees(`/ # $`)
	require.NoError(t, client("kill", name).Run())
	require.Equal(t, 137, x.ends())
	require.False(t, x.isRaw())
}

func TestArgumentsAndEnvironmentArriveByteForByte(t *testing.T) {
	args := []string{"a  b", "", "new\nline", `"quoted"`, `it's`, `$HOME`, "`id`", "--rm", "-", "tab\there", "ü", `\n`, "*"}
	script := `for arg; do printf '<%s>\n' "$arg"; done; printf '<%s>\n' "$VALUE"`
	value := "x=y \"z\"\n"
	cmd := client(append([]string{"run", "--rm", "-e", "VALUE=" + value, image, "sh", "-c", script, "sh"}, args...)...)
	out, err := cmd.Output()
	require.NoError(t, err)
	var want strings.Builder
	for _, arg := range append(args, value) {
		fmt.Fprintf(&want, "<%s>\n", arg)
	}
	require.Equal(t, want.String(), string(out))
}

func TestLargeStreamsArriveWhole(t *testing.T) {
	cmd := client("run", "--rm", "-i", image, "cat")
	input := bytes.Repeat([]byte("0123456789abcdef\x00\xff\n"), 1<<18) // 5 MB
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.Output()
	require.NoError(t, err)
	require.True(t, bytes.Equal(input, out), "%d bytes of %d came back", len(out), len(input))
}
