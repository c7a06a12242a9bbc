package cli

import (
	"context"
	"errors"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	daemon "cutaway/07-daemon"
)

// execFlags is an exec request while its flags are being read.
type execFlags struct {
	environmentFlags
	req     container.ExecCreateRequest
	detach  bool
	explain bool
	keys    string
}

func (a *app) execCommand() *cobra.Command {
	var f execFlags
	c := command("exec [OPTIONS] CONTAINER COMMAND [ARG...]", "Run one more process in a running container",
		func(ctx context.Context, args []string) error { return a.exec(ctx, f, args) })
	f.bind(c.Flags())
	return c
}

func (f *execFlags) bind(fs *pflag.FlagSet) {
	fs.SetInterspersed(false)
	fs.BoolVarP(&f.req.AttachStdin, "interactive", "i", false, "keep standard input open")
	fs.BoolVarP(&f.req.Tty, "tty", "t", false, "give the process a terminal")
	fs.BoolVar(&f.explain, "explain", false, "at the end, print the steps that made the process, on standard error")
	fs.BoolVarP(&f.detach, "detach", "d", false, "do not wait for it")
	f.environmentFlags.bind(fs)
	fs.StringVarP(&f.req.User, "user", "u", "", "`NAME|UID[:GROUP|GID]`")
	fs.StringVarP(&f.req.WorkingDir, "workdir", "w", "", "working directory in the container")
	fs.StringVar(&f.keys, "detach-keys", daemon.DefaultDetachKeys, "keys that detach from a terminal")
}

// exec makes an exec, starts it over a connection that becomes its terminal, and asks for its exit code at the end.
func (a *app) exec(ctx context.Context, f execFlags, args []string) error {
	req := f.req
	var err error
	if req.Env, err = f.environment(); err != nil {
		return err
	}
	req.Cmd = args[1:]
	req.AttachStdout, req.AttachStderr = !f.detach, !f.detach
	req.AttachStdin = req.AttachStdin && !f.detach
	if err := a.needTerminal(req.Tty && req.AttachStdin); err != nil {
		return err
	}
	var made container.ExecCreateResponse
	err = a.do(ctx, call{method: "POST", path: "/containers/" + args[0] + "/exec", body: req}, &made)
	if err != nil {
		return err
	}
	if f.explain {
		defer a.explainExec(ctx, made.ID)
	}
	how := container.ExecStartRequest{Detach: f.detach, Tty: req.Tty}
	if req.Tty {
		how.ConsoleSize = a.terminalSize()
	}
	start := call{method: "POST", path: "/exec/" + made.ID + "/start", body: how}
	if f.detach {
		return execError(a.do(ctx, start, nil))
	}
	return a.execAttached(ctx, start, attachment{
		id: made.ID, tty: req.Tty, stdin: req.AttachStdin, stdout: true, stderr: true, streamFlags: streamFlags{detachKeys: f.keys},
	})
}

func (a *app) execAttached(ctx context.Context, start call, what attachment) error {
	conn, err := a.hijack(ctx, start)
	if err != nil {
		return execError(err)
	}
	defer conn.Close()
	s := session{app: a, conn: conn, attachment: what, of: "/exec/" + what.id}
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
	return exited(code)
}

// execExit asks for the exit code of an exec until it is known: streams end before their process does.
func (a *app) execExit(ctx context.Context, id string) (int, error) {
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		var now container.ExecInspectResponse
		if err := a.do(ctx, call{method: "GET", path: "/exec/" + id + "/json"}, &now); err != nil {
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
