package cli

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// execFlags is an exec request while its flags are being read.
type execFlags struct {
	req      container.ExecCreateRequest
	detach   bool
	explain  bool
	env      []string
	keys     string
	envFiles []string
}

func (a *app) execCommand() *cobra.Command {
	var f execFlags
	c := &cobra.Command{
		Use:   "exec [OPTIONS] CONTAINER COMMAND [ARG...]",
		Short: "Run one more process in a running container",
		Args:  atLeast(2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.exec(c.Context(), f, args)
		},
	}
	f.bind(c.Flags())
	return c
}

func (f *execFlags) bind(fs *pflag.FlagSet) {
	fs.SetInterspersed(false)
	fs.BoolVarP(&f.req.AttachStdin, "interactive", "i", false, "keep standard input open")
	fs.BoolVarP(&f.req.Tty, "tty", "t", false, "give the process a terminal")
	fs.BoolVar(&f.explain, "explain", false, "at the end, print the steps that made the process, on standard error")
	fs.BoolVarP(&f.detach, "detach", "d", false, "do not wait for it")
	fs.StringArrayVarP(&f.env, "env", "e", nil, "set `NAME=VALUE` in the environment")
	fs.StringArrayVar(&f.envFiles, "env-file", nil, "read environment variables from a `file`")
	fs.StringVarP(&f.req.User, "user", "u", "", "`NAME|UID[:GROUP|GID]`")
	fs.StringVarP(&f.req.WorkingDir, "workdir", "w", "", "working directory in the container")
	fs.StringVar(&f.keys, "detach-keys", "ctrl-p,ctrl-q", "keys that detach from a terminal")
}

// exec makes an exec, starts it over a connection that becomes its terminal, and asks for its exit code at the end.
func (a *app) exec(ctx context.Context, f execFlags, args []string) error {
	req := f.req
	env, err := (&createFlags{env: f.env, envFiles: f.envFiles}).environment()
	if err != nil {
		return err
	}
	req.Env, req.Cmd = env, args[1:]
	req.AttachStdout, req.AttachStderr = !f.detach, !f.detach
	req.AttachStdin = req.AttachStdin && !f.detach
	if req.Tty && req.AttachStdin && !term.IsTerminal(int(a.in.Fd())) {
		return errNoTerminal
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	var made container.ExecCreateResponse
	err = c.do(ctx, call{method: "POST", path: "/containers/" + args[0] + "/exec", body: req}, &made)
	if err != nil {
		return err
	}
	if f.explain {
		defer a.explainExec(ctx, made.ID)
	}
	start := call{method: "POST", path: "/exec/" + made.ID + "/start", body: f.start(a.out)}
	if f.detach {
		return execError(c.do(ctx, start, nil))
	}
	return a.execAttached(ctx, start, attachment{
		id: made.ID, tty: req.Tty, stdin: req.AttachStdin, stdout: true, stderr: true, streamFlags: streamFlags{detachKeys: f.keys},
	})
}

// start is the body of the start request, with the size of the terminal if there is one.
func (f execFlags) start(terminal *os.File) container.ExecStartRequest {
	req := container.ExecStartRequest{Detach: f.detach, Tty: f.req.Tty}
	if width, height, err := term.GetSize(int(terminal.Fd())); err == nil && req.Tty {
		req.ConsoleSize = &[2]uint{uint(height), uint(width)}
	}
	return req
}

func (a *app) execAttached(ctx context.Context, start call, what attachment) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	conn, err := c.hijack(ctx, start)
	if err != nil {
		return execError(err)
	}
	defer conn.Close()
	s := session{app: a, conn: conn, attachment: what, resize: a.resizer("/exec/" + what.id + "/resize")}
	if err := s.copy(ctx); errors.Is(err, errDetached) {
		return nil
	} else if err != nil {
		return err
	}
	code, err := a.execExit(ctx, what.id)
	if err != nil {
		return err
	}
	if code >= 126 && code <= 128 {
		a.whyNoExec(ctx, what.id)
	}
	return exitStatus{code: code}.asError()
}

// execExit asks for the exit code of an exec until it is known: streams end before their process does.
func (a *app) execExit(ctx context.Context, id string) (int, error) {
	c, err := a.client()
	if err != nil {
		return 0, err
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		var now container.ExecInspectResponse
		if err := c.do(ctx, call{method: "GET", path: "/exec/" + id + "/json"}, &now); err != nil {
			return 0, err
		}
		if !now.Running && now.ExitCode != nil {
			return *now.ExitCode, nil
		}
		time.Sleep(pause)
	}
}

// execError gives an exec that could not be started the status of a program that is not there (127) or not
// executable (126).
func execError(err error) error {
	if err == nil {
		return nil
	}
	if code := startStatus(err); code != 125 {
		return exitError{code, err}
	}
	return err
}
