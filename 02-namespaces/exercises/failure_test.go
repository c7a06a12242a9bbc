package exercises

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
	"cutaway/chapters/exercise"
)

// step is a step that fails in a way that was asked for.
type step struct{ how, word string }

func (s step) String() string { return "try " + s.word }

func (s step) Do() error {
	switch s.how {
	case "path":
		return fmt.Errorf("step: %w", &os.PathError{Op: "mount", Path: s.word, Err: unix.ENODEV})
	case "call":
		return os.NewSyscallError("sethostname", unix.EPERM)
	case "plain":
		return errors.New(s.word)
	}
	return nil
}

// become is the child of the protocol.
func become(args []string) (any, error) {
	return nil, namespaces.Become([]namespaces.Step{step{args[0], args[1]}}, []string{"cat"})
}

// begun starts a child that does one step and becomes cat.
func begun(g *exercise.G, how, word string) (*exec.Cmd, error) {
	cmd := exercise.Child{Role: "become", Args: []string{how, word}}.Command()
	stop, err := cmd.StdinPipe()
	g.Must(err)
	out := g.Output()
	defer out.Close()
	cmd.Stderr = out
	err = namespaces.Start(cmd, namespaces.Clone{New: []namespaces.Kind{namespaces.UTS}})
	g.Cleanup(func() {
		stop.Close()
		if cmd.Process != nil && cmd.ProcessState == nil {
			_ = cmd.Wait()
		}
	})
	return cmd, err
}

func gradeFailure(g *exercise.G) {
	word := exercise.Word("thing")
	for _, row := range []struct {
		how  string
		want namespaces.Failure
		hint string
	}{
		{"path", namespaces.Failure{Call: "mount", Path: word, Errno: unix.ENODEV}, "An *os.PathError, which may be wrapped, knows the call, the path and the errno: errors.As."},
		{"call", namespaces.Failure{Call: "sethostname", Errno: unix.EPERM}, "An *os.SyscallError knows the call and the errno, and no path."},
		{"plain", namespaces.Failure{}, "Not every error is one of a system call."},
	} {
		_, err := begun(g, row.how, word)
		row.want.Step, row.want.Text = "try "+word, step{row.how, word}.Do().Error()
		gradeTold(g, err, row.want, row.hint)
	}

	cmd, err := begun(g, "well", word)
	g.NoError(err, "Nothing failed: the child has become its program, and execve(2) closed the socket. What does a reader see then?")
	cat, err := exec.LookPath("cat")
	g.Must(err)
	g.Check(exercise.Check{Name: "program", Want: true, Got: g.SameFile(cat, fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid)),
		Hint: "Start has to return when the program runs, and not before: there is something to wait for."})
}

// gradeTold compares what came from the child with what happened there.
func gradeTold(g *exercise.G, err error, want namespaces.Failure, hint string) {
	g.Helper()
	var got *namespaces.Failure
	if !errors.As(err, &got) {
		text := fmt.Sprint(err)
		if err == nil {
			text = "no error"
			hint = "The child was let go on, and nobody listened to what it had to say."
		}
		g.Check(exercise.Check{Name: "told failure", Want: "a *Failure: " + want.Text, Got: text, Hint: hint})
		return
	}
	g.Check(exercise.Check{Name: "step and text", Want: want.Step + ": " + want.Text, Got: got.Step + ": " + got.Text, Hint: "Step is what the child was at, Text the whole message."})
	g.Check(exercise.Check{Name: "call, path, errno", Want: parts(want.Call, want.Path, want.Errno), Got: parts(got.Call, got.Path, got.Errno), Hint: hint})
}

func parts(call, path string, errno syscall.Errno) string {
	return fmt.Sprintf("call %q, path %q, errno %d", call, path, int(errno))
}
