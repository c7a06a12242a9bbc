package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// ExplainOptions says how a plan is to be printed.
type ExplainOptions struct {
	JSON   bool
	Script bool // as a script that does the same
	Width  int  // columns of the terminal; 0 = it is none
	Color  bool // it shows colours
}

func (a *app) explainCommand() *cobra.Command {
	var o ExplainOptions
	var isError bool
	c := &cobra.Command{
		Use:   "explain [OPTIONS] CONTAINER | explain --error [ID]",
		Short: "Show the steps that made a container, and why; or what an error means",
		Args: func(c *cobra.Command, args []string) error {
			if isError && len(args) <= 1 {
				return nil
			}
			return exactly(1)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if o.JSON && o.Script || isError && (o.JSON || o.Script) {
				return usageError(c, errors.New("--json, --script and --error exclude each other"))
			}
			if isError {
				return a.explainError(strings.Join(args, ""), o)
			}
			return a.explain(c.Context(), args[0], o)
		},
	}
	c.Flags().BoolVar(&isError, "error", false, "explain the error with this ID; without an ID, list them")
	c.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	c.Flags().BoolVar(&o.Script, "script", false, "print a script that makes the same container by hand")
	return c
}

// explain fetches the plan of a container and prints it.
func (a *app) explain(ctx context.Context, ref string, o ExplainOptions) error {
	plan, err := a.plan(ctx, "/containers/"+ref)
	if err != nil {
		return err
	}
	return a.printPlan(a.out, plan, o)
}

// plan fetches the plan of a container or an exec.
func (a *app) plan(ctx context.Context, of string) (plan json.RawMessage, err error) {
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	err = c.do(ctx, call{method: "GET", path: of + "/plan"}, &plan)
	return plan, err
}

// printPlan leaves the explanation to whom it belongs.
func (a *app) printPlan(w io.Writer, plan json.RawMessage, o ExplainOptions) error {
	if a.Explain == nil {
		_, err := fmt.Fprintf(w, "%s\n", plan)
		return err
	}
	return a.Explain(w, plan, o.on(w))
}

// on adds what the terminal can do, if w is one.
func (o ExplainOptions) on(w io.Writer) ExplainOptions {
	if f, ok := w.(*os.File); ok {
		o.Width = terminalWidth(f)
	}
	o.Color = o.Width > 0 && os.Getenv("NO_COLOR") == ""
	return o
}

// explainError prints a section of the page of errors. No daemon is needed: it may be the trouble.
func (a *app) explainError(id string, o ExplainOptions) error {
	if a.ExplainError == nil {
		return errors.New("this program has no book in it")
	}
	return a.ExplainError(a.out, id, o.on(a.out))
}

// planFlags are what "run" can do with a plan but to perform it.
type planFlags struct {
	explain bool // performed, and then explained
	dryRun  bool // only explained
	script  bool // as a script
}

func (f *planFlags) bind(fs *pflag.FlagSet) {
	fs.BoolVar(&f.explain, "explain", false, "at the end, print the steps that made the container, on standard error")
	fs.BoolVar(&f.dryRun, "dry-run", false, "do nothing but print the steps that would make the container")
	fs.BoolVar(&f.script, "script", false, "with --dry-run: print a script that does the same")
}

// check finds what does not go together.
func (f *planFlags) check() error {
	switch {
	case f.explain && f.dryRun:
		return errors.New("--explain and --dry-run exclude each other")
	case f.script && !f.dryRun:
		return errors.New("--script goes with --dry-run; of a container that was started, see \"cutaway explain --script\"")
	}
	return nil
}

// dryRun makes a container, asks what would start it, and removes it again.
func (a *app) dryRun(ctx context.Context, spec runSpec, o ExplainOptions) error {
	spec.req.HostConfig.AutoRemove = false
	id, err := a.create(ctx, spec.flags, spec.req)
	if err != nil {
		return exitError{125, err}
	}
	err = a.explain(ctx, id, o)
	return errors.Join(err, a.discard(ctx, id))
}

// perform makes and runs a container with run, or does with its plan what the flags say.
func (a *app) perform(ctx context.Context, spec runSpec, run func(context.Context, runSpec) error) error {
	f := spec.plan
	if err := f.check(); err != nil {
		return exitError{125, err}
	}
	switch {
	case f.dryRun:
		return a.dryRun(ctx, spec, ExplainOptions{Script: f.script})
	case f.explain:
		return a.runExplained(ctx, spec, run)
	}
	return run(ctx, spec)
}

// runExplained runs a container and prints its plan when it has ended, or could
// not be started. Its removal (--rm) is ours, for the plan goes with it.
func (a *app) runExplained(ctx context.Context, spec runSpec, run func(context.Context, runSpec) error) error {
	remove := spec.req.HostConfig.AutoRemove
	spec.req.HostConfig.AutoRemove = false
	var id string
	var plan json.RawMessage
	var failed error
	start := spec.start.do
	spec.start.do = func(ctx context.Context, made string) error {
		err := start(ctx, made)
		id = made
		plan, failed = a.plan(ctx, "/containers/"+id)
		return err
	}
	err := run(ctx, spec)
	if plan != nil {
		failed = a.printPlan(a.err, plan, ExplainOptions{})
	}
	if remove && id != "" {
		failed = errors.Join(failed, a.discard(ctx, id))
	}
	if failed != nil {
		fmt.Fprintf(a.err, "cutaway: explain: %v\n", failed)
	}
	return err
}

// explainExec prints the steps of an exec that has ended. Its exit status is what the user asked for; so a failure
// here is only told.
func (a *app) explainExec(ctx context.Context, id string) {
	plan, err := a.plan(ctx, "/exec/"+id)
	if err == nil {
		err = a.printPlan(a.err, plan, ExplainOptions{})
	}
	if err != nil {
		fmt.Fprintf(a.err, "cutaway: explain: %v\n", err)
	}
}

// discard removes a container with its nameless volumes.
func (a *app) discard(ctx context.Context, id string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	return c.do(ctx, call{method: "DELETE", path: "/containers/" + id, query: url.Values{"v": {"1"}}}, nil)
}
