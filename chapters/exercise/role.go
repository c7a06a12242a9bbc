package exercise

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"cutaway/chapters/lab"
)

// Role is what a grader has done in a process of its own: it calls the learner's code, and returns what it saw there, which goes
// to the grader as JSON, or the learner's error.
type Role func(args []string) (saw any, err error)

// Roles are a chapter's roles by their names.
type Roles map[string]Role

const (
	roleVar  = "CUTAWAY_GRADE_ROLE"  // its name
	replyVar = "CUTAWAY_GRADE_REPLY" // the descriptor for the reply; none = nobody waits for one
)

// Main is the body of TestMain of a chapter's exercises: it runs the tests in the lab, or the role for which a grader has started this
// binary again.
func Main(m *testing.M, roles Roles) {
	name := os.Getenv(roleVar)
	if name == "" {
		lab.Main(m, lab.RootOrSandbox)
		return
	}
	role := roles[name]
	if name == lookAtMounts {
		role = mountsFromTheTop
	}
	if role == nil {
		fmt.Fprintf(os.Stderr, "no role %q\n", name)
		os.Exit(2)
	}
	os.Exit(play(role))
}

// play is the life of a role's process. It stays after the reply, to be looked at, until its standard input ends.
func play(role Role) int {
	saw, err := role(os.Args[1:])
	fd, hasReply := strconv.Atoi(os.Getenv(replyVar))
	if hasReply != nil {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	r := reply{}
	if err != nil {
		r.Error = err.Error()
		errors.As(err, &r.Errno)
	}
	r.Saw, err = json.Marshal(saw)
	if err != nil {
		panic(err) // a role's answer is plain data
	}
	text, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	_, _ = unix.Write(fd, append(text, '\n')) // the grader has gone: so do we
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// reply is what a role's process tells.
type reply struct {
	Error string
	Errno syscall.Errno
	Saw   json.RawMessage
}

// roleError is a learner's error that came from another process.
type roleError struct{ reply }

func (e roleError) Error() string { return e.reply.Error }
func (e roleError) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// Child is a role to be played in a process of its own.
type Child struct {
	Role string
	Args []string
	Attr *syscall.SysProcAttr // nil = none; the process is killed when the grader ends
}

// Command is the role as a command that has not been started: without a reply, for code that starts commands itself.
// If the role returns an error it is printed, and the exit status is 1.
func (c Child) Command() *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command("/proc/self/exe", c.Args...)
	cmd.Args[0] = filepath.Base(exe)
	cmd.Env = append(os.Environ(), roleVar+"="+c.Role, replyVar+"=")
	cmd.SysProcAttr = c.Attr
	return cmd
}

// Running is a role's process that has done its part, and waits while the grader looks at it. It ends with the grader.
type Running struct {
	PID int
	Err error           // what the role returned
	saw json.RawMessage // and the other thing
	g   *G
}

// Start plays a role and returns when it has returned. That the process ended instead, by a panic for example, is a failed
// check.
func (g *G) Start(c Child) *Running {
	g.Helper()
	cmd := c.Command()
	stop, err := cmd.StdinPipe()
	g.Must(err)
	from, to, err := os.Pipe()
	g.Must(err)
	defer from.Close()
	cmd.ExtraFiles = []*os.File{to}
	cmd.Env = append(cmd.Env, replyVar+"=3")
	out := g.Output()
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Start()
	to.Close()
	g.Must(err)
	g.Cleanup(func() {
		stop.Close()
		_ = cmd.Wait() // it ends as the learner's code has it
	})
	r := &Running{PID: cmd.Process.Pid, g: g}
	var said reply
	if err := json.NewDecoder(from).Decode(&said); err != nil {
		stop.Close()
		_ = cmd.Wait()
		g.Check(Check{Name: ended, Want: "it returns", Got: fmt.Sprint("the process ended: ", cmd.ProcessState), Hint: endedHint})
	}
	if r.saw = said.Saw; said.Error != "" {
		r.Err = roleError{said}
	}
	return r
}

// Saw stores what the role saw in v.
func (r *Running) Saw(v any) {
	r.g.Helper()
	r.g.Must(json.Unmarshal(r.saw, v))
}

// Proc is a path below the process's directory of /proc.
func (r *Running) Proc(name string) string { return fmt.Sprintf("/proc/%d/%s", r.PID, name) }

// Output is a file for what a process prints; the learner gets to see it.
func (g *G) Output() *os.File {
	g.Helper()
	f, err := os.CreateTemp(g.TempDir(), "output")
	g.Must(err)
	g.output = append(g.output, f.Name())
	return f
}
