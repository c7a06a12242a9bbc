package toolbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// shell is one running sh. The language is mvdan.cc/sh's; what it lacks of a process's life (background
// processes with true IDs, signals, exec in place) is in jobs.go and traps.go.
//
// How it works: a program is parsed, then rewritten (plan), then run statement by statement. Every simple
// command passes through call, which may replace it, and every one that is neither a function nor one of the
// interpreter's own commands through run, which makes a process of it.
type shell struct {
	*command
	runner      *interp.Runner
	zero        string // $0
	interactive bool

	jobs    jobs
	traps   traps
	inPlace inPlace
}

// sh runs a command (-c), a file or standard input; with a terminal there, it prompts.
func sh(c *command) error {
	o, rest, err := c.parse("c e f i l s u x")
	if err != nil {
		return err
	}
	s := &shell{command: c, zero: c.name}
	var script string
	fromArgs := o.has("c") || len(rest) > 0 && !o.has("s")
	switch {
	case o.has("c") && len(rest) == 0:
		return usagef("-c needs a command")
	case o.has("c"):
		script, rest = rest[0], rest[1:]
		if len(rest) > 0 {
			s.zero, rest = rest[0], rest[1:]
		}
	case fromArgs:
		data, err := os.ReadFile(rest[0])
		if err != nil {
			fmt.Fprintf(c.err, "sh: %v\n", err)
			return status(127)
		}
		script, s.zero, rest = string(data), rest[0], rest[1:]
	}
	s.interactive = o.has("i") || !fromArgs && term.IsTerminal(int(c.in.Fd()))
	if err := s.start(o, rest); err != nil {
		return err
	}
	if fromArgs {
		return status(s.end(s.whole(script)))
	}
	return status(s.end(s.loop()))
}

// start makes the interpreter.
func (s *shell) start(o options, args []string) error {
	var params []string
	for _, flag := range []string{"e", "f", "u", "x"} {
		if o.has(flag) {
			params = append(params, "-"+flag)
		}
	}
	params = append(append(params, "--"), args...)
	var err error
	s.runner, err = interp.New(
		interp.StdIO(s.in, s.out, s.err),
		interp.Params(params...),
		interp.Interactive(s.interactive),
		interp.CallHandler(s.call),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return s.run }),
	)
	s.traps.start(s)
	return err
}

// whole runs a script that is known as a whole. If it is but one simple command, its process takes the
// shell's place, as with bash: "sh -c 'sleep 9'" is one process, not two.
func (s *shell) whole(script string) int {
	file, err := syntax.NewParser().Parse(strings.NewReader(script), s.zero)
	if err != nil {
		fmt.Fprintf(s.err, "sh: %v\n", err)
		return 2
	}
	s.plan(file)
	if len(file.Stmts) == 1 {
		if call, ok := file.Stmts[0].Cmd.(*syntax.CallExpr); ok && len(call.Args) > 0 && !file.Stmts[0].Negated {
			s.inPlace.last = call.Args[0].Pos()
		}
	}
	return s.execute(context.Background(), file)
}

// execute runs a parsed program and returns its status.
func (s *shell) execute(ctx context.Context, file *syntax.File) int {
	err := s.runner.Run(ctx, file)
	if code, ok := errors.AsType[interp.ExitStatus](err); ok {
		return int(code)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled):
		return 128 + int(unix.SIGINT)
	}
	fmt.Fprintf(s.err, "sh: %v\n", err)
	return 1
}

// end runs what has been trapped for the end and returns the shell's status.
func (s *shell) end(code int) int {
	for action, _ := s.traps.take(); action != ""; action, _ = s.traps.take() {
		code = s.finally(action, code)
	}
	if action := s.traps.exit(); action != "" {
		code = s.finally(action, code)
	}
	return code
}

// finally runs the action of a trap after the program's end. Only its own "exit" changes the status.
func (s *shell) finally(action string, code int) int {
	file, err := syntax.NewParser().Parse(strings.NewReader(action), s.zero)
	if err != nil {
		fmt.Fprintf(s.err, "sh: trap: %v\n", err)
		return code
	}
	s.plan(file)
	if result := s.execute(context.Background(), file); s.runner.Exited() {
		return result
	}
	return code
}

// call sees every simple command before it is run. It slips in the action of a trap whose signal has come, and
// sends the commands that the interpreter lacks to run.
func (s *shell) call(ctx context.Context, args []string) ([]string, error) {
	if action, ok := s.traps.take(); ok {
		return []string{"eval", planText(action) + "\n" + quoted(args)}, nil
	}
	switch args[0] {
	case spawn:
		return s.spawn(interp.HandlerCtx(ctx), args[1])
	case "eval":
		return []string{"eval", planText(strings.Join(args[1:], " "))}, nil
	}
	if s.runner.Funcs[args[0]] == nil && isOwn(args[0], args[1:]) {
		return append([]string{ownPrefix + args[0]}, args[1:]...), nil
	}
	return args, nil
}

// quoted writes arguments as shell source.
func quoted(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		word, err := syntax.Quote(arg, syntax.LangBash)
		if err != nil { // a NUL byte, which no argument can hold
			word = "''"
		}
		words[i] = word
	}
	return strings.Join(words, " ")
}

// run executes one program and waits for it.
func (s *shell) run(ctx context.Context, args []string) error {
	hc := interp.HandlerCtx(ctx)
	if own, ok := strings.CutPrefix(args[0], ownPrefix); ok {
		return s.own(hc, own, args[1:])
	}
	cmd, err := s.prepare(hc, args)
	if err != nil {
		return err
	}
	if s.inPlace.is(hc.Pos) && s.traps.none() {
		err := replaceProcess(cmd)
		return s.cannotRun(hc, args[0], err)
	}
	s.traps.enter()
	err = cmd.Start()
	if errors.Is(err, syscall.ENOEXEC) { // a script without "#!": sh(1) runs it as its own
		cmd = s.selfCommand(hc, append([]string{cmd.Path}, args[1:]...))
		err = cmd.Start()
	}
	if err == nil {
		err = cmd.Wait()
	}
	s.traps.leave(cmd.ProcessState)
	if cmd.ProcessState == nil {
		return s.cannotRun(hc, args[0], err)
	}
	return shellStatus(exitStatus(cmd.ProcessState))
}

// prepare finds the program; its error is an exit status, after a message.
func (s *shell) prepare(hc interp.HandlerContext, args []string) (*exec.Cmd, error) {
	path, err := lookPath(args[0], hc.Env.Get("PATH").String())
	if err != nil {
		return nil, s.cannotRun(hc, args[0], err)
	}
	return &exec.Cmd{Path: path, Args: args, Dir: hc.Dir, Env: environ(hc.Env),
		Stdin: hc.Stdin, Stdout: hc.Stdout, Stderr: hc.Stderr}, nil
}

// cannotRun says so, with status 127 for what does not exist and 126 for what cannot be executed.
func (s *shell) cannotRun(hc interp.HandlerContext, name string, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		fmt.Fprintf(hc.Stderr, "%s: %s: not found\n", s.zero, name)
		return shellStatus(127)
	}
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		err = errno
	}
	fmt.Fprintf(hc.Stderr, "%s: %s: %v\n", s.zero, name, err)
	return shellStatus(126)
}

// shellStatus is a command's status as the interpreter wants it: zero is no error.
func shellStatus(code uint8) error {
	if code == 0 {
		return nil
	}
	return interp.ExitStatus(code)
}

// exitStatus is 128 + n after signal n.
func exitStatus(p *os.ProcessState) uint8 {
	if w, ok := p.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return uint8(128 + int(w.Signal()))
	}
	return uint8(p.ExitCode())
}

// environ lists the exported variables.
func environ(env expand.Environ) []string {
	return variables(env, func(v expand.Variable) bool { return v.Exported })
}

// variables lists the string variables for which keep says yes; a variable of an inner scope hides an outer one.
func variables(env expand.Environ, keep func(expand.Variable) bool) []string {
	found := map[string]string{}
	env.Each(func(name string, v expand.Variable) bool {
		delete(found, name)
		if v.Kind == expand.String && v.IsSet() && keep(v) {
			found[name] = v.Str
		}
		return true
	})
	list := make([]string, 0, len(found))
	for name, value := range found {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
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
			null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			f = null
		}
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3) // out of the way of 0 to 2
		if err != nil {
			return os.NewSyscallError("dup", err)
		}
		fds[i] = fd
	}
	for i, fd := range fds {
		if err := unix.Dup3(fd, i, 0); err != nil {
			return os.NewSyscallError("dup3", err)
		}
	}
	return &os.PathError{Op: "execute", Path: cmd.Path, Err: unix.Exec(cmd.Path, cmd.Args, cmd.Env)}
}

// builtin makes an applet of a command that the shell has built in: printf, test, [.
func builtin(c *command) error {
	s := &shell{command: c, zero: c.name}
	if err := s.start(options{}, c.args); err != nil {
		return err
	}
	return status(s.whole(c.name + ` "$@"`))
}
