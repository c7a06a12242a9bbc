package cli

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/moby/moby/api/types/container"
	"github.com/spf13/cobra"
)

// post performs a request without an answer for a container.
func (a *app) post(ctx context.Context, ref, verb string, query url.Values) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	return c.do(ctx, call{method: "POST", path: "/containers/" + ref + "/" + verb, query: query}, nil)
}

// verbCommand is a command that does one thing to each of its operands.
func (a *app) verbCommand(use, short string, do func(ctx context.Context, ref string) error) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  atLeast(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.each(args, func(ref string) error { return do(c.Context(), ref) })
		},
	}
}

func (a *app) stopCommand() *cobra.Command {
	return a.timedCommand("stop", "Stop containers: a signal, and KILL if that does not help")
}

func (a *app) restartCommand() *cobra.Command {
	return a.timedCommand("restart", "Stop containers and start them again")
}

// timedCommand is stop or restart. Without -t the container's own --stop-timeout counts, or the daemon's.
func (a *app) timedCommand(verb, short string) *cobra.Command {
	var seconds int
	var signal string
	var c *cobra.Command
	c = a.verbCommand(verb+" [OPTIONS] CONTAINER [CONTAINER...]", short, func(ctx context.Context, ref string) error {
		query := url.Values{}
		set(query, "signal", signal)
		if c.Flags().Changed("timeout") || c.Flags().Changed("time") {
			query.Set("t", strconv.Itoa(seconds))
		}
		return a.post(ctx, ref, verb, query)
	})
	c.Flags().IntVarP(&seconds, "timeout", "t", 0, "`seconds` to wait before killing")
	c.Flags().IntVar(&seconds, "time", 0, "the same as --timeout")
	c.Flags().Lookup("time").Hidden = true
	c.Flags().StringVarP(&signal, "signal", "s", "", "signal to send first")
	return c
}

func (a *app) killCommand() *cobra.Command {
	var signal string
	c := a.verbCommand("kill [OPTIONS] CONTAINER [CONTAINER...]", "Send a signal to the first process of containers",
		func(ctx context.Context, ref string) error {
			query := url.Values{}
			set(query, "signal", signal)
			return a.post(ctx, ref, "kill", query)
		})
	c.Flags().StringVarP(&signal, "signal", "s", "", "signal to send (default KILL)")
	return c
}

func (a *app) pauseCommand() *cobra.Command {
	return a.verbCommand("pause CONTAINER [CONTAINER...]", "Freeze all processes of containers",
		func(ctx context.Context, ref string) error { return a.post(ctx, ref, "pause", nil) })
}

func (a *app) unpauseCommand() *cobra.Command {
	return a.verbCommand("unpause CONTAINER [CONTAINER...]", "Thaw all processes of containers",
		func(ctx context.Context, ref string) error { return a.post(ctx, ref, "unpause", nil) })
}

func (a *app) removeCommand() *cobra.Command {
	var force, volumes bool
	c := a.verbCommand("rm [OPTIONS] CONTAINER [CONTAINER...]", "Remove containers",
		func(ctx context.Context, ref string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			query := on(map[string]bool{"force": force, "v": volumes})
			return c.do(ctx, call{method: "DELETE", path: "/containers/" + ref, query: query}, nil)
		})
	c.Flags().BoolVarP(&force, "force", "f", false, "kill it first if it runs")
	c.Flags().BoolVarP(&volumes, "volumes", "v", false, "remove its volumes that have no name")
	return c
}

func (a *app) waitCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "wait CONTAINER [CONTAINER...]",
		Short: "Wait until containers have ended and print their exit codes",
		Args:  atLeast(1),
		RunE: func(c *cobra.Command, args []string) error {
			var failed bool
			for _, ref := range args {
				if err := a.printExit(c.Context(), ref); err != nil {
					a.status(err)
					failed = true
				}
			}
			if failed {
				return exitError{code: 1}
			}
			return nil
		},
	}
}

func (a *app) printExit(ctx context.Context, ref string) error {
	exit, err := a.wait(ctx, ref, container.WaitConditionNotRunning)
	if err != nil {
		return err
	}
	end := <-exit
	if end.err != nil {
		return end.err
	}
	_, err = fmt.Fprintln(a.out, end.code)
	return err
}

func (a *app) renameCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rename CONTAINER NAME",
		Short: "Give a container another name",
		Args:  exactly(2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.post(c.Context(), args[0], "rename", url.Values{"name": {args[1]}})
		},
	}
}
