package toolbox

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
)

// patience is how long a busy machine may take for anything.
const patience = 60 * time.Second

// typist types at a terminal and reads what appears there.
type typist struct {
	t   *testing.T
	tty *os.File
	cmd *exec.Cmd

	mu   sync.Mutex
	seen bytes.Buffer
}

// shellAtTerminal starts an interactive sh.
func shellAtTerminal(t *testing.T) *typist {
	exe, err := exec.LookPath("sh") // testscript has put the applets into PATH
	require.NoError(t, err)
	s := &typist{t: t, cmd: exec.Command(exe)}
	s.cmd.Dir = "/"
	s.tty, err = pty.Start(s.cmd)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = s.tty.Close()
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	})
	go func() { _, _ = io.Copy(s, s.tty) }()
	s.sees(`/ # $`)
	return s
}

// Write takes what appears on the terminal.
func (s *typist) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.Write(p)
}

// types forgets what has been seen and types.
func (s *typist) types(keys string) *typist {
	s.t.Helper()
	s.mu.Lock()
	s.seen.Reset()
	s.mu.Unlock()
	_, err := s.tty.WriteString(keys)
	require.NoError(s.t, err)
	return s
}

// sees waits until the pattern matches what has appeared since the last keys.
func (s *typist) sees(pattern string) {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	require.Eventually(s.t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return re.MatchString(strings.ReplaceAll(s.seen.String(), "\r\n", "\n"))
	}, patience, 10*time.Millisecond, "waiting for %q", pattern)
}

func TestPromptEditsAndRemembersLines(t *testing.T) {
	s := shellAtTerminal(t)
	s.types("echo one\r").sees(`\none\n/ # $`)
	s.types("\x1b[A\r").sees(`\none\n/ # $`)        // up: the line again
	s.types("echo onx\x7fe\r").sees(`\none\n/ # $`) // backspace
	s.types("echo lost\x03").sees(`\^C\n/ # $`)     // Ctrl-C
	s.types("echo $?\r").sees(`\n130\n/ # $`)
	s.types("cd /tmp\r").sees(`/tmp # $`)
}

func TestPromptAsksForTheRestOfACommand(t *testing.T) {
	s := shellAtTerminal(t)
	s.types("for i in 1 2\r").sees(`\n> $`)
	s.types("do echo \"i $i\"\r").sees(`\n> $`)
	s.types("done\r").sees(`\ni 1\ni 2\n/ # $`)
	s.types("if ; then\r").sees(`sh: .*\n/ # $`) // an error does not end an interactive shell
}

func TestCtrlCEndsTheCommandAndNotTheShell(t *testing.T) {
	s := shellAtTerminal(t)
	s.types("cat\r").sees(`\n$`)
	s.types("echoed\n").sees(`echoed\nechoed\n`) // twice: the terminal's echo, and cat
	s.types("\x03").sees(`\^C\n/ # $`)
	s.types("echo $?\r").sees(`\n130\n/ # $`)
	s.types("while true; do echo round; sleep 0.01; done\r").sees(`round\nround`)
	s.types("\x03").sees(`/ # $`)
	s.types("echo $?\r").sees(`\n130\n/ # $`)
}

func TestCtrlDEndsTheShellWithTheLastStatus(t *testing.T) {
	s := shellAtTerminal(t)
	s.types("(exit 4)\r").sees(`/ # $`)
	s.types("\x04")
	err := s.cmd.Wait()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 4, exit.ExitCode())
}
