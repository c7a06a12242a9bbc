package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// DefaultHost is where the daemon listens if nothing else is said.
const DefaultHost = "unix:///run/cutaway/cutaway.sock"

// Options is what the command line cannot do by itself and what main gives it.
type Options struct {
	Version string // of the program, for "cutaway version"
	// Serve runs the daemon until ctx ends.
	Serve func(ctx context.Context, o DaemonOptions) error
}

// Run performs one command line, without the program's name, on the standard streams, and returns the exit
// status: see the package documentation. Errors are printed.
func Run(args []string, o Options) int {
	a := &app{Options: o, client: newClient(), in: os.Stdin, out: os.Stdout, err: os.Stderr}
	root := a.root(args)
	root.SetArgs(args)
	return a.status(root.ExecuteContext(context.Background()))
}

// app is what all commands share.
type app struct {
	Options
	*client
	in  *os.File
	out *os.File
	err io.Writer
}

// commands is the table of all, by name.
func (a *app) commands() map[string]func() *cobra.Command {
	return map[string]func() *cobra.Command{
		"run": a.runCommand, "create": a.createCommand, "start": a.startCommand, "attach": a.attachCommand, "exec": a.execCommand,
		"ps": a.psCommand, "logs": a.logsCommand, "inspect": a.inspectCommand, "port": a.portCommand, "explain": a.explainCommand,
		"stop": a.stopCommand, "restart": a.restartCommand, "kill": a.killCommand, "rm": a.removeCommand, "wait": a.waitCommand,
		"rename": a.renameCommand, "pause": a.pauseCommand, "unpause": a.unpauseCommand,
		"images": a.imagesCommand, "build": a.buildCommand, "pull": a.pullCommand, "push": a.pushCommand, "rmi": a.removeImageCommand,
		"tag": a.tagCommand, "history": a.historyCommand, "save": a.saveCommand, "load": a.loadCommand, "export": a.exportCommand,
		"import": a.importCommand, "commit": a.commitCommand, "diff": a.diffCommand, "login": a.loginCommand, "logout": a.logoutCommand,
		"info": a.infoCommand, "version": a.versionCommand, "doctor": a.doctorCommand, "daemon": a.daemonCommand,
		"container": a.containerCommand, "image": a.imageCommand, "system": a.systemCommand,
	}
}

// root is the tree of commands. If the first word is one, only that is made: all of them with their flags would
// cost each call a millisecond.
func (a *app) root(args []string) *cobra.Command {
	root := group("cutaway", "A container engine that you can see through")
	all := a.commands()
	if len(args) > 0 && all[args[0]] != nil {
		all = map[string]func() *cobra.Command{args[0]: all[args[0]]}
	}
	for _, c := range all {
		root.AddCommand(c())
	}
	root.SilenceErrors = true // Run prints them
	root.SilenceUsage = true
	root.CompletionOptions.DisableDefaultCmd = true
	root.PersistentFlags().Bool("help", false, "Print usage") // without -h, which is run's --hostname
	root.PersistentFlags().StringVarP(&a.host, "host", "H", "", "the engine's socket (default $CUTAWAY_HOST or "+DefaultHost+")")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return exitError{125, usageError(c, err)} })
	return root
}

// command makes a command. How many operands it takes is what use says: those in brackets may be left out, and
// after "..." there may be more.
func command(use, short string, run func(ctx context.Context, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: operands,
		DisableFlagsInUseLine: true, // "[OPTIONS]" is where they go
		RunE:                  func(c *cobra.Command, args []string) error { return run(c.Context(), args) },
	}
}

// operands compares the number of operands with a command's usage.
func operands(c *cobra.Command, args []string) error {
	least, most := 0, 0
	for _, word := range strings.Fields(c.Use)[1:] {
		switch {
		case word == "[OPTIONS]":
		case strings.HasSuffix(word, "...]"):
			most = math.MaxInt
		case strings.HasPrefix(word, "["):
			most++
		default:
			least++
			most++
		}
	}
	switch {
	case len(args) < least:
		return usageError(c, fmt.Errorf("%q needs at least %d argument(s)", c.CommandPath(), least))
	case len(args) > most:
		return usageError(c, fmt.Errorf("%q takes at most %d argument(s)", c.CommandPath(), most))
	}
	return nil
}

// group is a command that only has others below it.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, DisableFlagsInUseLine: true}
	g.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return usageError(c, fmt.Errorf("%q is not a cutaway command", args[0]))
	}
	g.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	g.AddCommand(commands...)
	return g
}

// usageError adds where to look for help.
func usageError(c *cobra.Command, err error) error {
	return fmt.Errorf("%w\nSee '%s --help'", err, c.CommandPath())
}

// exitError is an exit status other than 1, with an error to print or nil if everything has been said.
type exitError struct {
	code int
	err  error
}

// Error is the message, if there is one.
func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

// Unwrap is the error to print.
func (e exitError) Unwrap() error { return e.err }

// status prints an error, with the chapter that explains it if the daemon named one, and chooses the status.
func (a *app) status(err error) int {
	if err == nil {
		return 0
	}
	code := 1
	if exit, ok := errors.AsType[exitError](err); ok {
		code = exit.code
		if exit.err == nil {
			return code
		}
	}
	fmt.Fprintf(a.err, "cutaway: %s\n", strings.TrimSuffix(err.Error(), "\n"))
	fmt.Fprint(a.err, whereExplained(err))
	return code
}

// each performs fn for every operand; one failure does not end the rest.
func (a *app) each(refs []string, fn func(ref string) error) error {
	var failed error
	for _, ref := range refs {
		if err := fn(ref); err != nil {
			a.status(err)
			failed = exitError{code: 1}
		}
	}
	return failed
}
