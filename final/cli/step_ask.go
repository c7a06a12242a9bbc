package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"cutaway/final/explain"

	"golang.org/x/term"
)

// errQuit is the user's "q", and errOver the end of the start while the user was asked.
var (
	errQuit = exitError{125, errors.New("ended before the container ran; everything is undone")}
	errOver = errors.New("the daemon has said the last")
)

// dialogue does what the user says until the start is to go on (nil) or to end.
func (s *stepper) dialogue(ctx context.Context) error {
	for {
		line, err := s.ask(ctx)
		if err != nil {
			return err
		}
		word, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "", "n":
			return nil
		case "c":
			if s.runOn(strings.TrimSpace(name)) {
				return nil
			}
		case "s":
			s.shell(ctx)
		case "m":
			_ = explain.One(s.app.err, s.plan, explain.OneOptions{ // as with all that is printed there
				Options: s.look(), Index: s.now.Next})
		case "q":
			return errQuit
		default:
			s.print("    n or Enter   do this step")
			s.print("    c            go on to the end;  c NAME  to the next step of that name")
			s.print("    s            a shell at this point; exit comes back here")
			s.print("    m            more about this step")
			s.print("    q            undo everything")
		}
	}
}

// runOn goes on to a step, or with "" to the end. It reports whether there is such a step.
func (s *stepper) runOn(name string) bool {
	if name != "" && s.find(name, s.now.Next+1) < 0 {
		s.printFolded("    ", s.unknown(name).Error())
		return false
	}
	s.until = func(i int) bool { return name != "" && s.matches(name, i) }
	return true
}

// ask prompts and reads one line. Input that has ended is "q", and so is a signal.
func (s *stepper) ask(ctx context.Context) (string, error) {
	fmt.Fprint(s.app.err, s.paint(explain.Dim, "next, continue, shell, more, quit  ")+s.paint(explain.Bold, "n c s m q> "))
	type input struct {
		line string
		err  error
	}
	read := make(chan input, 1) // what is left reading when a signal comes ends with this process
	go func() {
		line, err := readLine(s.in)
		read <- input{line, err}
	}()
	select {
	case <-s.interrupts:
		s.print("")
		return "", errInterrupted
	case <-ctx.Done():
		return "", errInterrupted
	case <-s.over:
		s.print("")
		return "", errOver
	case in := <-read:
		if !term.IsTerminal(int(s.in.Fd())) {
			s.print(in.line) // the terminal has echoed it already
		}
		if in.err != nil {
			return "", errQuit
		}
		return in.line, nil
	}
}

// readLine reads byte by byte: what follows the line is for a shell, or for the container.
func readLine(r io.Reader) (string, error) {
	var line strings.Builder
	var b [1]byte
	for {
		n, err := r.Read(b[:])
		switch {
		case n == 1 && b[0] == '\n':
			return line.String(), nil
		case n == 1:
			line.WriteByte(b[0])
		case err != nil && line.Len() > 0:
			return line.String(), nil
		case err != nil:
			return "", err
		}
	}
}

// command runs a command of --step-run on the host.
func (s *stepper) command(ctx context.Context, text string) error {
	cmd := exec.CommandContext(ctx, "sh", "-c", text)
	if errors.Is(cmd.Err, exec.ErrNotFound) {
		cmd.Path, cmd.Err = "/proc/self/exe", nil // it is a shell, too
	}
	cmd.Env = append(os.Environ(), s.environment()...)
	cmd.Stdout, cmd.Stderr = s.out, s.app.err
	return cmd.Run()
}

// environment says where the half-made container is. A name without a value is of something that is not there yet.
func (s *stepper) environment() []string {
	pid, memory := "", ""
	if s.now.PID != 0 {
		pid = fmt.Sprint(s.now.PID)
	}
	for _, dir := range s.subject.Groups {
		if memory == "" || strings.Contains(dir, "/memory/") { // v1 has a directory in each hierarchy
			memory = dir
		}
	}
	return []string{
		"CUTAWAY_ID=" + s.id,
		"CUTAWAY_STEP=" + fmt.Sprint(s.now.Next+1),
		"CUTAWAY_STEP_NAME=" + s.plan.Items[s.now.Next].Name(),
		"CUTAWAY_PID=" + pid,
		"CUTAWAY_ROOTFS=" + s.subject.Root,
		"CUTAWAY_NETNS=" + s.subject.Netns,
		"CUTAWAY_CGROUP=" + memory,
		"CUTAWAY_CGROUPS=" + strings.Join(s.subject.Groups, " "),
		"CUTAWAY_HOST=" + s.engine(),
	}
}
