package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/moby/moby/api/types/container"
	"github.com/spf13/cobra"
)

// verbCommand is a command that makes one request for each of its operands, which is the %s in its path, and prints
// the operands for which that went well.
func (a *app) verbCommand(use, short string, what call) *cobra.Command {
	return command(use, short, func(ctx context.Context, args []string) error {
		return a.each(args, func(ref string) error {
			one := what
			one.path = fmt.Sprintf(what.path, ref)
			if err := a.do(ctx, one, nil); err != nil {
				return err
			}
			_, err := fmt.Fprintln(a.out, ref)
			return err
		})
	})
}

func (a *app) stopCommand() *cobra.Command {
	return a.timedCommand("stop", "Stop containers: a signal, and KILL if that does not help")
}

func (a *app) restartCommand() *cobra.Command {
	return a.timedCommand("restart", "Stop containers and start them again")
}

// timedCommand is stop or restart. Without -t the container's own --stop-timeout counts, or the daemon's.
func (a *app) timedCommand(verb, short string) *cobra.Command {
	query := url.Values{}
	c := a.verbCommand(verb+" [OPTIONS] CONTAINER [CONTAINER...]", short, call{method: "POST", path: "/containers/%s/" + verb, query: query})
	seconds := func(s string) error {
		query.Set("t", s)
		_, err := strconv.Atoi(s)
		return err
	}
	c.Flags().FuncP("timeout", "t", "`seconds` to wait before killing", seconds)
	c.Flags().Func("time", "the same as --timeout", seconds)
	c.Flags().Lookup("time").Hidden = true
	c.Flags().FuncP("signal", "s", "`signal` to send first", text(query, "signal"))
	return c
}

func (a *app) killCommand() *cobra.Command {
	query := url.Values{}
	c := a.verbCommand("kill [OPTIONS] CONTAINER [CONTAINER...]", "Send a signal to the first process of containers",
		call{method: "POST", path: "/containers/%s/kill", query: query})
	c.Flags().FuncP("signal", "s", "`signal` to send (default KILL)", text(query, "signal"))
	return c
}

func (a *app) pauseCommand() *cobra.Command {
	return a.verbCommand("pause CONTAINER [CONTAINER...]", "Freeze all processes of containers",
		call{method: "POST", path: "/containers/%s/pause"})
}

func (a *app) unpauseCommand() *cobra.Command {
	return a.verbCommand("unpause CONTAINER [CONTAINER...]", "Thaw all processes of containers",
		call{method: "POST", path: "/containers/%s/unpause"})
}

func (a *app) removeCommand() *cobra.Command {
	query := url.Values{}
	c := a.verbCommand("rm [OPTIONS] CONTAINER [CONTAINER...]", "Remove containers",
		call{method: "DELETE", path: "/containers/%s", query: query})
	c.Flags().BoolFuncP("force", "f", "kill it first if it runs", yes(query, "force"))
	c.Flags().BoolFuncP("volumes", "v", "remove its volumes that have no name", yes(query, "v"))
	return c
}

func (a *app) waitCommand() *cobra.Command {
	return command("wait CONTAINER [CONTAINER...]", "Wait until containers have ended and print their exit codes",
		func(ctx context.Context, args []string) error {
			return a.each(args, func(ref string) error { return a.printExit(ctx, ref) })
		})
}

func (a *app) printExit(ctx context.Context, ref string) error {
	exit, err := a.wait(ctx, ref, container.WaitConditionNotRunning)
	if err != nil {
		return err
	}
	end := <-exit
	status, _ := errors.AsType[exitError](end)
	if status.err != nil {
		return end
	}
	_, err = fmt.Fprintln(a.out, status.code)
	return err
}

func (a *app) renameCommand() *cobra.Command {
	return command("rename CONTAINER NAME", "Give a container another name", func(ctx context.Context, args []string) error {
		return a.do(ctx, call{method: "POST", path: "/containers/" + args[0] + "/rename", query: url.Values{"name": {args[1]}}}, nil)
	})
}
