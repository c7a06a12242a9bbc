package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/moby/moby/api/types/container"
	"github.com/spf13/cobra"
)

func (a *app) attachCommand() *cobra.Command {
	var what attachment
	var noStdin bool
	c := command("attach [OPTIONS] CONTAINER", "Connect to the streams of a running container", func(ctx context.Context, args []string) error {
		what.stdin = !noStdin
		return a.attachRunning(ctx, args[0], what)
	})
	what.bind(c.Flags())
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
	if what, err = a.attachmentTo(ctr, what); err != nil {
		return err
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

// attachmentTo adds to what is wanted how the container was made.
func (a *app) attachmentTo(ctr container.InspectResponse, what attachment) (attachment, error) {
	what.id, what.tty, what.stdout, what.stderr = ctr.ID, ctr.Config.Tty, true, true
	what.stdin = what.stdin && ctr.Config.OpenStdin
	what.removed = ctr.HostConfig != nil && ctr.HostConfig.AutoRemove
	return what, a.needTerminal(what.tty && what.stdin)
}

func (a *app) startCommand() *cobra.Command {
	var what attachment
	var attach bool
	c := command("start [OPTIONS] CONTAINER [CONTAINER...]", "Start containers that have been made or have ended", func(ctx context.Context, args []string) error {
		switch {
		case !attach && !what.stdin:
			return a.each(args, func(ref string) error { return a.startAndPrint(ctx, ref) })
		case len(args) > 1:
			return errors.New("only one container can be attached to")
		}
		ctr, err := a.inspectContainer(ctx, args[0])
		if err != nil {
			return err
		}
		if what, err = a.attachmentTo(ctr, what); err != nil {
			return err
		}
		return a.foreground(ctx, what, starter{do: a.startContainer})
	})
	what.bind(c.Flags())
	c.Flags().BoolVarP(&attach, "attach", "a", false, "connect standard output and error, and forward signals")
	c.Flags().BoolVarP(&what.stdin, "interactive", "i", false, "connect standard input")
	return c
}

func (a *app) startAndPrint(ctx context.Context, ref string) error {
	if err := a.startContainer(ctx, ref); err != nil {
		return err
	}
	_, err := fmt.Fprintln(a.out, ref)
	return err
}

func (a *app) inspectContainer(ctx context.Context, ref string) (ctr container.InspectResponse, err error) {
	err = a.do(ctx, call{method: "GET", path: "/containers/" + ref + "/json"}, &ctr)
	if err == nil && ctr.Config == nil {
		err = fmt.Errorf("container %s: the engine did not say how it was made", ref)
	}
	return ctr, err
}
