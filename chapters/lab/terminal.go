package lab

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
	"golang.org/x/sys/unix"
)

// Terminal is a program at a terminal, and who types there and reads what appears.
type Terminal struct {
	Cmd  *exec.Cmd
	t    testing.TB
	pty  *os.File
	tty  *os.File // the program's side, kept open to be looked at
	done chan struct{}

	mu   sync.Mutex
	seen bytes.Buffer
}

// typing is how long a program may take to answer on a busy machine.
const typing = 60 * time.Second

// AtTerminal starts a program at a terminal of 24 lines and 80 columns. It is killed when the test ends.
func AtTerminal(t testing.TB, cmd *exec.Cmd) *Terminal {
	t.Helper()
	x := &Terminal{t: t, Cmd: cmd, done: make(chan struct{})}
	var err error
	x.pty, x.tty, err = pty.Open()
	x.check(err)
	x.Resize(24, 80)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = x.tty, x.tty, x.tty
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	x.check(cmd.Start())
	go func() {
		defer close(x.done)
		_ = cmd.Wait() // Ends tells how it ended
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(x, x.pty) // until the cleanup closes it
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-x.done
		x.check(x.pty.Close())
		x.check(x.tty.Close())
		<-read
	})
	return x
}

func (x *Terminal) check(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

// Write takes what appears.
func (x *Terminal) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.seen.Write(p)
}

// Types forgets what has been seen, and types.
func (x *Terminal) Types(keys string) *Terminal {
	x.t.Helper()
	x.mu.Lock()
	x.seen.Reset()
	x.mu.Unlock()
	_, err := x.pty.WriteString(keys)
	x.check(err)
	return x
}

// Text is what has appeared since the last keys.
func (x *Terminal) Text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return strings.ReplaceAll(x.seen.String(), "\r\n", "\n")
}

// Sees waits until a regular expression matches what has appeared since the last keys.
func (x *Terminal) Sees(pattern string) {
	x.t.Helper()
	if !x.SeesWithin(typing, pattern) {
		x.t.Fatalf("waiting for %q, seen:\n%s", pattern, x.Text())
	}
}

// SeesWithin is Sees that may wait in vain.
func (x *Terminal) SeesWithin(limit time.Duration, pattern string) bool {
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		if re.MatchString(x.Text()) {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// Ends waits for the program's end and returns its exit status, -1 after a signal.
func (x *Terminal) Ends() int {
	x.t.Helper()
	select {
	case <-x.done:
	case <-time.After(typing):
		x.t.Fatalf("the program does not end; seen:\n%s", x.Text())
	}
	return x.Cmd.ProcessState.ExitCode()
}

// IsRaw reports whether the terminal hands Ctrl-C over as a key.
func (x *Terminal) IsRaw() bool {
	x.t.Helper()
	state, err := unix.IoctlGetTermios(int(x.tty.Fd()), unix.TCGETS)
	x.check(err)
	return state.Lflag&unix.ISIG == 0
}

// Resize changes the terminal's size, which tells the program so: SIGWINCH.
func (x *Terminal) Resize(lines, columns uint16) {
	x.t.Helper()
	x.check(pty.Setsize(x.pty, &pty.Winsize{Rows: lines, Cols: columns}))
}
