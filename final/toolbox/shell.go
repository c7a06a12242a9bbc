package toolbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// shell is one running sh. The language is mvdan.cc/sh's; what it lacks of a process's life is added here:
// background processes with true IDs (children.go), signals (traps.go), and exec in the shell's own place.
//
// How it works: a program is parsed, then rewritten (plan.go), then run statement by statement. Every simple
// command passes through call, which may replace it, and every one that is neither a function nor one of the
// interpreter's own commands through run, which makes a process of it.
type shell struct {
	*command
	runner      *interp.Runner
	zero        string // $0
	interactive bool
	children    children
	sources     []string     // of background commands
	due         chan trapped // actions of signals that have come

	mu      sync.Mutex
	signals chan os.Signal
	actions map[syscall.Signal]string
	cancel  context.CancelFunc // ends the running line
}

// sh runs a command (-c), a file or standard input; with a terminal there, it prompts.
func sh(c *command) error {
	s := &shell{command: c, zero: c.name}
	script, fromArgs := "", false
	switch {
	case c.has("c") && len(c.args) == 0:
		return usagef("-c needs a command")
	case c.has("c"):
		script, fromArgs = c.args[0], true
		if c.args = c.args[1:]; len(c.args) > 0 {
			s.zero, c.args = c.args[0], c.args[1:]
		}
	case len(c.args) > 0 && !c.has("s"):
		data, err := os.ReadFile(c.args[0])
		if err != nil {
			fmt.Fprintf(c.err, "sh: %v\n", err)
			return status(127)
		}
		script, fromArgs = string(data), true
		s.zero, c.args = c.args[0], c.args[1:]
	}
	s.interactive = c.has("i") || !fromArgs && term.IsTerminal(int(c.in.Fd()))
	if err := s.start(); err != nil {
		return err
	}
	if fromArgs {
		return status(s.whole(script))
	}
	return status(s.loop())
}

// start makes the interpreter.
func (s *shell) start() (err error) {
	var params []string
	for _, flag := range []string{"e", "u", "x"} {
		if s.has(flag) {
			params = append(params, "-"+flag)
		}
	}
	params = append(append(params, "--"), s.args...)
	s.runner, err = interp.New(
		interp.StdIO(s.in, s.out, s.err),
		interp.Params(params...),
		interp.Interactive(s.interactive),
		interp.CallHandler(s.call),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return s.run }),
	)
	s.listen()
	if os.Getpid() == 1 { // there may be orphans before there are children
		s.children.once.Do(s.children.start)
	}
	return err
}

// whole runs a script that is known as a whole, and ends the shell. If it is but one simple command, its process
// takes the shell's place, as with bash: "sh -c 'sleep 9'" is one process, not two.
func (s *shell) whole(script string) int {
	file, err := s.parse(script)
	if err != nil {
		fmt.Fprintf(s.err, "sh: %v\n", err)
		return 2
	}
	if len(file.Stmts) == 1 {
		call, ok := file.Stmts[0].Cmd.(*syntax.CallExpr)
		if ok && len(call.Args) > 0 && !file.Stmts[0].Negated && !hasHeredoc(file.Stmts[0]) && isProgram(call.Args[0].Lit()) {
			call.Args = append([]*syntax.Word{literal("exec"), literal(inPlace)}, call.Args...)
		}
	}
	code, ended := s.execute(context.Background(), file)
	if ended {
		return code
	}
	return s.end(code)
}

// isProgram reports whether a word calls a program, as far as can be seen.
func isProgram(name string) bool { return name != "" && name != spawn && !interp.IsBuiltin(name) }

// end ends the shell, with what has been trapped for that.
func (s *shell) end(code int) int {
	file, err := s.parse(fmt.Sprintf("exit %d", code))
	if err != nil {
		return code
	}
	code, _ = s.execute(context.Background(), file)
	return code
}

// execute runs the statements of a program and returns the last one's status; ended says that the shell is to end.
func (s *shell) execute(ctx context.Context, file *syntax.File) (code int, ended bool) {
	for _, st := range file.Stmts {
		code = 0
		err := s.runner.Run(ctx, st)
		if exit, ok := errors.AsType[interp.ExitStatus](err); ok {
			code = int(exit)
		} else if err != nil {
			if code = 1; ctx.Err() == nil {
				fmt.Fprintf(s.err, "sh: %v\n", err)
			}
		}
		if s.runner.Exited() || ctx.Err() != nil {
			return code, s.runner.Exited() && ctx.Err() == nil
		}
	}
	return code, false
}

// call sees every simple command before it is run. It slips in the action of a trap whose signal has come, and
// sends the commands that the interpreter lacks to run.
func (s *shell) call(ctx context.Context, args []string) ([]string, error) {
	select {
	case t := <-s.due:
		return []string{"eval", s.planText(t.action) + "\n" + quoted(args)}, nil
	default:
	}
	switch args[0] {
	case spawn:
		return s.spawn(interp.HandlerCtx(ctx), args[1])
	case "eval":
		return []string{"eval", s.planText(strings.Join(args[1:], " "))}, nil
	case "trap":
		return s.trap(interp.HandlerCtx(ctx), args[1:]), nil
	case "kill", "umask", "wait": // the interpreter takes these for its own, but has them not, or for goroutines only
		if s.runner.Funcs[args[0]] == nil {
			return append([]string{ownPrefix + args[0]}, args[1:]...), nil
		}
	}
	return args, nil
}

// ownPrefix marks a command for run as one of ours. It holds a character that no command can be called by.
const ownPrefix = "\x00"

// run executes one program and waits for it.
func (s *shell) run(ctx context.Context, args []string) error {
	hc := interp.HandlerCtx(ctx)
	replace := args[0] == inPlace
	if replace {
		args = args[1:]
	}
	switch own, ok := strings.CutPrefix(args[0], ownPrefix); {
	case ok && own == "wait":
		return s.wait(ctx, args[1:])
	case ok:
		return shellStatus(perform(&command{applet: find(own), args: args[1:], out: hc.Stdout, err: hc.Stderr}))
	}
	path, err := lookPath(args[0], hc.Env.Get("PATH").String())
	if err != nil {
		return s.cannotRun(hc, args[0], err)
	}
	cmd := &exec.Cmd{Path: path, Args: args, Dir: hc.Dir, Env: environ(hc.Env, exported),
		Stdin: hc.Stdin, Stdout: hc.Stdout, Stderr: hc.Stderr}
	if replace {
		return s.cannotRun(hc, args[0], replaceProcess(cmd))
	}
	c, err := s.children.run(cmd)
	if errors.Is(err, syscall.ENOEXEC) { // a script without "#!": sh(1) runs it as its own
		cmd = s.selfCommand(hc, append([]string{path}, args[1:]...))
		c, err = s.children.run(cmd)
	}
	if err != nil {
		return s.cannotRun(hc, args[0], err)
	}
	<-c.done
	_ = cmd.Wait() // for what it has written to us; its status has been taken
	if c.status == interrupted {
		s.interrupt()
	}
	return shellStatus(c.status)
}

// cannotRun says so, with status 127 for what does not exist and 126 for what cannot be executed.
func (s *shell) cannotRun(hc interp.HandlerContext, name string, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		fmt.Fprintf(hc.Stderr, "%s: %s: not found\n", s.zero, name)
		return shellStatus(127)
	}
	fmt.Fprintf(hc.Stderr, "%s: %s: %v\n", s.zero, name, errors.Unwrap(err))
	return shellStatus(126)
}

// shellStatus is a command's status as the interpreter wants it: zero is no error.
func shellStatus(code int) error {
	if code == 0 {
		return nil
	}
	return interp.ExitStatus(code)
}

func exported(v expand.Variable) bool { return v.Exported }

// environ lists the string variables for which keep says yes. An inner scope, which comes later, hides an outer one.
func environ(env expand.Environ, keep func(expand.Variable) bool) []string {
	found := map[string]string{}
	for name, v := range env.Each {
		delete(found, name)
		if v.Kind == expand.String && v.IsSet() && keep(v) {
			found[name] = name + "=" + v.Str
		}
	}
	return slices.Sorted(maps.Values(found))
}

// replaceProcess executes the command in the shell's place, with its redirections.
func replaceProcess(cmd *exec.Cmd) error {
	if err := os.Chdir(cmd.Dir); err != nil {
		return err
	}
	var fds [3]int
	for i, stream := range []any{cmd.Stdin, cmd.Stdout, cmd.Stderr} {
		f, ok := stream.(*os.File)
		if !ok || f == nil { // closed by "<&-" or ">&-"
			var err error
			if f, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
				return err
			}
		}
		var err error
		if fds[i], err = unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3); err != nil { // out of the way of 0 to 2
			return os.NewSyscallError("dup", err)
		}
	}
	for i, fd := range fds {
		if err := unix.Dup3(fd, i, 0); err != nil {
			return os.NewSyscallError("dup3", err)
		}
	}
	return &os.PathError{Op: "execute", Path: cmd.Path, Err: unix.Exec(cmd.Path, cmd.Args, cmd.Env)}
}

// builtin makes an applet of a command that the shell has built in.
func builtin(c *command) error {
	s := &shell{command: c, zero: c.name}
	if err := s.start(); err != nil {
		return err
	}
	return status(s.whole(c.name + ` "$@"`))
}

// umask shows or sets the permission bits that new files do not get, umask(2).
func umask(c *command) error {
	if len(c.args) == 0 {
		old := unix.Umask(0)
		unix.Umask(old)
		_, err := fmt.Fprintf(c.out, "%04o\n", old)
		return err
	}
	mode, err := strconv.ParseUint(c.args[0], 8, 9)
	if err != nil {
		return usagef("%q is not a mode", c.args[0])
	}
	unix.Umask(int(mode))
	return nil
}
