package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/moby/moby/api/types/container"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (a *app) attachCommand() *cobra.Command {
	var s streamFlags
	var noStdin bool
	c := &cobra.Command{
		Use:   "attach [OPTIONS] CONTAINER",
		Short: "Connect to the streams of a running container",
		Args:  exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.attachRunning(c.Context(), args[0], attachment{streamFlags: s, stdin: !noStdin})
		},
	}
	s.bind(c.Flags())
	c.Flags().BoolVar(&noStdin, "no-stdin", false, "do not connect standard input")
	return c
}

// attachRunning joins a running container until it ends.
func (a *app) attachRunning(ctx context.Context, ref string, what attachment) error {
	ctr, err := a.inspectContainer(ctx, ref)
	if err != nil {
		return err
	}
	switch {
	case ctr.State == nil || !ctr.State.Running:
		return errors.New("cannot attach to a stopped container, start it first")
	case ctr.State.Paused:
		return errors.New("cannot attach to a paused container, unpause it first")
	}
	what.from(ctr)
	if what.tty && what.stdin && !term.IsTerminal(int(a.in.Fd())) {
		return errNoTerminal
	}
	if what.sigProxy {
		stop := a.forwardSignals(ctx, what.id)
		defer stop()
	}
	exit, err := a.wait(ctx, what.id, container.WaitConditionNotRunning)
	if err != nil {
		return err
	}
	conn, err := a.attach(ctx, what)
	if err != nil {
		return err
	}
	defer conn.Close()
	return a.follow(ctx, conn, what, exit)
}

// from takes over how the container was made.
func (w *attachment) from(ctr container.InspectResponse) {
	w.id, w.tty, w.stdout, w.stderr = ctr.ID, ctr.Config.Tty, true, true
	w.stdin = w.stdin && ctr.Config.OpenStdin
	w.removed = ctr.HostConfig != nil && ctr.HostConfig.AutoRemove
}

func (a *app) startCommand() *cobra.Command {
	var s streamFlags
	var attach, stdin bool
	c := &cobra.Command{
		Use:   "start [OPTIONS] CONTAINER [CONTAINER...]",
		Short: "Start containers that have been made or have ended",
		Args:  atLeast(1),
		RunE: func(c *cobra.Command, args []string) error {
			if !attach && !stdin {
				return a.each(args, func(ref string) error { return a.startContainer(c.Context(), ref) })
			}
			if len(args) > 1 {
				return errors.New("only one container can be attached to")
			}
			return a.startAttached(c.Context(), args[0], attachment{streamFlags: s, stdin: stdin})
		},
	}
	s.bind(c.Flags())
	c.Flags().BoolVarP(&attach, "attach", "a", false, "connect standard output and error, and forward signals")
	c.Flags().BoolVarP(&stdin, "interactive", "i", false, "connect standard input")
	return c
}

func (a *app) startAttached(ctx context.Context, ref string, what attachment) error {
	ctr, err := a.inspectContainer(ctx, ref)
	if err != nil {
		return err
	}
	what.from(ctr)
	if what.tty && what.stdin && !term.IsTerminal(int(a.in.Fd())) {
		return errNoTerminal
	}
	return a.foreground(ctx, what, starter{do: a.startContainer})
}

func (a *app) inspectContainer(ctx context.Context, ref string) (container.InspectResponse, error) {
	var ctr container.InspectResponse
	c, err := a.client()
	if err != nil {
		return ctr, err
	}
	err = c.do(ctx, call{method: "GET", path: "/containers/" + ref + "/json"}, &ctr)
	if err == nil && ctr.Config == nil {
		err = fmt.Errorf("container %s: the engine did not say how it was made", ref)
	}
	return ctr, err
}
