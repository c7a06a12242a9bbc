package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cutaway/chapters/lab"

	"github.com/stretchr/testify/require"
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

// atTerminal starts the client at a terminal.
func atTerminal(t *testing.T, args ...string) *lab.Terminal {
	t.Helper()
	return lab.AtTerminal(t, client(args...))
}

func TestTerminalOfAContainerIsTheUsers(t *testing.T) {
	x := atTerminal(t, "run", "--rm", "-it", image, "sh")
	x.Sees(`/ # $`)
	require.True(t, x.IsRaw())
	x.Types("stty size; tty\r").Sees(`\n24 80\n/dev/pts/0\n/ # $`)

	// A changed size arrives (SIGWINCH).
	x.Resize(50, 132)
	for begin := time.Now(); ; {
		x.Types("stty size\r").Sees(`\n\d+ \d+\n/ # $`)
		if strings.Contains(x.Text(), "50 132") {
			break
		}
		require.Less(t, time.Since(begin), patience)
	}

	// Ctrl-C ends what runs there, and nothing else.
	x.Types("sleep 1000\r").Sees(`sleep 1000\n$`)
	typesUntil(t, x, "\x03", `\^C\n/ # $`)
	x.Types("echo $?\r").Sees(`\n130\n/ # $`)
	x.Types("exit 5\r")
	require.Equal(t, 5, x.Ends())
	require.False(t, x.IsRaw(), "the terminal is not as it was")
}

// typesUntil types a key until the pattern appears: a key that comes before a program is there goes nowhere.
func typesUntil(t *testing.T, x *lab.Terminal, key, pattern string) {
	t.Helper()
	for begin := time.Now(); time.Since(begin) < patience; {
		if x.Types(key).SeesWithin(time.Second, pattern) {
			return
		}
	}
	t.Fatalf("waiting for %q, seen:\n%s", pattern, x.Text())
}

func TestTerminalOfAnExec(t *testing.T) {
	name := newName(t)
	require.NoError(t, client("run", "-d", "--name", name, image, "sleep", "1000").Run())
	x := atTerminal(t, "exec", "-it", name, "sh")
	x.Sees(`/ # $`)
	x.Types("stty size; exit 6\r").Sees(`\n24 80\n`)
	require.Equal(t, 6, x.Ends())
	require.False(t, x.IsRaw())
}

func TestDetachKeysLeaveTheContainerRunning(t *testing.T) {
	name := newName(t)
	x := atTerminal(t, "run", "-it", "--name", name, image, "sh")
	x.Sees(`/ # $`)
	x.Types("\x10\x11") // Ctrl-P Ctrl-Q
	require.Equal(t, 0, x.Ends())
	require.False(t, x.IsRaw())

	out, err := client("inspect", "-f", "{{.State.Running}}", name).Output()
	require.NoError(t, err)
	require.Equal(t, "true\n", string(out))

	again := atTerminal(t, "attach", "--detach-keys", "ctrl-x,x", name)
	again.Types("echo back\r").Sees(`\nback\n/ # $`)
	again.Types("\x18x")
	require.Equal(t, 0, again.Ends())
}

func TestTerminalIsRestoredWhenTheContainerIsKilled(t *testing.T) {
	name := newName(t)
	x := atTerminal(t, "run", "-it", "--name", name, image, "sh")
	x.Sees(`/ # $`)
	require.NoError(t, client("kill", name).Run())
	require.Equal(t, 137, x.Ends())
	require.False(t, x.IsRaw())
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
