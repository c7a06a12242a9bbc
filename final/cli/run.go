package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/moby/moby/api/types/container"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

func (a *app) runCommand() *cobra.Command {
	var f createFlags
	var detach bool
	var s streamFlags
	var steps stepFlags
	var plan planFlags
	var c *cobra.Command
	c = command("run [OPTIONS] IMAGE [COMMAND] [ARG...]", "Make a container and start it", func(ctx context.Context, args []string) error {
		req, err := f.request(args)
		if err == nil && detach && f.attach != nil {
			err = errors.New("-a and -d exclude each other")
		}
		if err != nil {
			return exitError{125, usageError(c, err)}
		}
		if err := errors.Join(steps.check(), plan.check()); err != nil {
			return exitError{125, err}
		}
		spec := runSpec{&f, req, s, plan, steps.starter(a)}
		if detach {
			return a.perform(ctx, spec, a.runDetached)
		}
		return a.perform(ctx, spec, a.runAttached)
	})
	f.bind(c.Flags())
	s.bind(c.Flags())
	steps.bind(c.Flags())
	plan.bind(c.Flags())
	c.Flags().BoolVarP(&detach, "detach", "d", false, "run in the background and print the ID")
	return c
}

// runSpec is a container to be made and watched.
type runSpec struct {
	flags   *createFlags
	req     container.CreateRequest
	streams streamFlags
	plan    planFlags
	start   starter
}

// starter is a way to start a container.
type starter struct {
	do          func(ctx context.Context, id string) error
	interactive bool // signals are for it, and for the container only when it has ended
}

// runDetached starts a container that nobody is attached to.
func (a *app) runDetached(ctx context.Context, spec runSpec) error {
	f, req := spec.flags, spec.req
	req.AttachStdin, req.AttachStdout, req.AttachStderr, req.StdinOnce = false, false, false, false
	id, err := a.create(ctx, f, req)
	if err != nil {
		return exitError{125, err}
	}
	if err := spec.start.do(ctx, id); err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.out, id)
	return err
}

// runAttached makes a container and stays with it to its end.
func (a *app) runAttached(ctx context.Context, spec runSpec) error {
	if err := a.needTerminal(spec.req.Tty && spec.req.AttachStdin); err != nil {
		return exitError{125, err}
	}
	if size := a.terminalSize(); size != nil && spec.req.Tty {
		spec.req.HostConfig.ConsoleSize = *size
	}
	id, err := a.create(ctx, spec.flags, spec.req)
	if err != nil {
		return exitError{125, err}
	}
	return a.foreground(ctx, attachment{
		id: id, streamFlags: spec.streams, tty: spec.req.Tty, removed: spec.req.HostConfig.AutoRemove,
		stdin: spec.req.AttachStdin, stdout: spec.req.AttachStdout, stderr: spec.req.AttachStderr,
	}, spec.start)
}

// foreground attaches to a container, starts it and waits for its end: the order is in the package documentation.
// The error is the container's exit status.
func (a *app) foreground(ctx context.Context, what attachment, start starter) error {
	if what.sigProxy && !start.interactive {
		stop := a.forwardSignals(ctx, what.id)
		defer stop()
	}
	conn, exit, err := a.attachAndWait(ctx, what)
	if err != nil {
		return exitError{125, err}
	}
	defer conn.Close()
	if err := start.do(ctx, what.id); err != nil {
		return err
	}
	if what.sigProxy && start.interactive {
		stop := a.forwardSignals(ctx, what.id)
		defer stop()
	}
	return a.follow(ctx, conn, what, exit)
}

// attachAndWait arranges, side by side, what has to be arranged before the start: the streams and the exit status.
func (a *app) attachAndWait(ctx context.Context, what attachment) (*hijacked, <-chan error, error) {
	condition := container.WaitConditionNextExit
	if what.removed {
		condition = container.WaitConditionRemoved
	}
	var exit <-chan error
	var waiting errgroup.Group
	waiting.Go(func() (err error) {
		exit, err = a.wait(ctx, what.id, condition)
		return err
	})
	conn, err := a.attach(ctx, what)
	if failed := waiting.Wait(); err == nil && failed != nil {
		return nil, nil, errors.Join(failed, conn.Close())
	}
	return conn, exit, err
}

// follow copies the streams until the container has ended or the user detaches, and returns the exit status.
func (a *app) follow(ctx context.Context, conn *hijacked, what attachment, exit <-chan error) error {
	s := session{app: a, conn: conn, attachment: what, of: "/containers/" + what.id}
	err := s.copy(ctx)
	if errors.Is(err, errDetached) {
		return nil
	}
	if err != nil {
		return exitError{125, err}
	}
	return <-exit
}

// startContainer's error has the exit status that docker gives it: 127 and 126 tell, by the daemon's message,
// what execve(2) said of the program.
func (a *app) startContainer(ctx context.Context, id string) error {
	err := a.do(ctx, call{method: "POST", path: "/containers/" + id + "/start"}, nil)
	if err != nil {
		return exitError{startStatus(err), err}
	}
	return nil
}

func startStatus(err error) int {
	message := err.Error()
	for _, m := range []struct {
		text string
		code int
	}{
		{"executable file not found", 127}, {syscall.ENOENT.Error(), 127},
		{syscall.EACCES.Error(), 126}, {syscall.EISDIR.Error(), 126}, {syscall.ENOEXEC.Error(), 126},
	} {
		if strings.Contains(message, m.text) {
			return m.code
		}
	}
	return 125
}

// exited is the end of a process: no error, or its exit status.
func exited(code int) error {
	if code == 0 {
		return nil
	}
	return exitError{code: code}
}

// wait asks for the exit code. It returns when the daemon has armed the wait, which it says by sending the
// header; the channel gets the code later, as an exitError, or nil for 0.
func (a *app) wait(ctx context.Context, id string, condition container.WaitCondition) (<-chan error, error) {
	answer, err := a.send(ctx, call{ //nolint:bodyclose // by the goroutine below
		method: "POST", path: "/containers/" + id + "/wait",
		query: url.Values{"condition": {string(condition)}},
	})
	if err != nil {
		return nil, err
	}
	exit := make(chan error, 1)
	go func() {
		defer answer.Body.Close()
		exit <- readExit(answer)
	}()
	return exit, nil
}

func readExit(answer *http.Response) error {
	var result container.WaitResponse
	if err := json.NewDecoder(answer.Body).Decode(&result); err != nil {
		return exitError{125, fmt.Errorf("wait for the container: %w", err)}
	}
	if result.Error != nil {
		return exitError{125, errors.New(result.Error.Message)}
	}
	return exited(int(result.StatusCode))
}
