package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"cutaway/final/explain"
	"cutaway/final/plan"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (a *app) explainCommand() *cobra.Command {
	var isError, isJSON, script bool
	var c *cobra.Command
	c = command("explain [OPTIONS] CONTAINER | explain --error [ID]", "Show the steps that made a container, and why; or what an error means",
		func(ctx context.Context, args []string) error {
			id := strings.Join(args, "")
			switch {
			case isJSON && script, isError && (isJSON || script):
				return usageError(c, errors.New("--json, --script and --error exclude each other"))
			case isError && id == "": // no daemon is needed: it may be the trouble
				return explain.Errors(a.out, look(a.out))
			case isError:
				return explain.Error(a.out, id, look(a.out))
			}
			p, err := a.plan(ctx, "/containers/"+id)
			switch {
			case err != nil:
				return err
			case script:
				return explain.Script(a.out, p)
			case isJSON:
				return explain.JSON(a.out, p)
			}
			return explain.Text(a.out, p, look(a.out))
		})
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 1 || isError && len(args) == 0 {
			return nil
		}
		return usageError(c, fmt.Errorf("%q needs 1 argument", c.CommandPath()))
	}
	c.Flags().BoolVar(&isError, "error", false, "explain the error with this ID; without an ID, list them")
	c.Flags().BoolVar(&isJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&script, "script", false, "print a script that makes the same container by hand")
	return c
}

// plan fetches the plan of a container or an exec.
func (a *app) plan(ctx context.Context, of string) (p *plan.Plan, err error) {
	err = a.do(ctx, call{method: "GET", path: of + "/plan"}, &p)
	return p, err
}

// look is what the terminal can show, if w is one.
func look(w io.Writer) (o explain.Options) {
	if f, ok := w.(*os.File); ok {
		o.Width = terminalWidth(f)
	}
	o.Color = o.Width > 0 && os.Getenv("NO_COLOR") == ""
	return o
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

// perform makes and runs a container with run, or does with its plan what the flags say.
func (a *app) perform(ctx context.Context, spec runSpec, run func(context.Context, runSpec) error) error {
	switch {
	case spec.plan.dryRun:
		return a.dryRun(ctx, spec)
	case spec.plan.explain:
		return a.runExplained(ctx, spec, run)
	}
	return run(ctx, spec)
}

// dryRun makes a container, asks what would start it, and removes it again.
func (a *app) dryRun(ctx context.Context, spec runSpec) error {
	spec.req.HostConfig.AutoRemove = false
	id, err := a.create(ctx, spec.flags, spec.req)
	if err != nil {
		return exitError{125, err}
	}
	p, err := a.plan(ctx, "/containers/"+id)
	switch {
	case err != nil:
	case spec.plan.script:
		err = explain.Script(a.out, p)
	default:
		err = explain.Text(a.out, p, look(a.out))
	}
	return errors.Join(err, a.discard(ctx, id))
}

// runExplained runs a container and prints its plan when it has ended, or could
// not be started. Its removal (--rm) is ours, for the plan goes with it.
func (a *app) runExplained(ctx context.Context, spec runSpec, run func(context.Context, runSpec) error) error {
	remove := spec.req.HostConfig.AutoRemove
	spec.req.HostConfig.AutoRemove = false
	var id string
	var p *plan.Plan
	var failed error
	start := spec.start.do
	spec.start.do = func(ctx context.Context, made string) error {
		err := start(ctx, made)
		id = made
		p, failed = a.plan(ctx, "/containers/"+id)
		return err
	}
	err := run(ctx, spec)
	if p != nil {
		failed = explain.Text(a.err, p, look(a.err))
	}
	if remove && id != "" {
		failed = errors.Join(failed, a.discard(ctx, id))
	}
	a.notExplained(failed)
	return err
}

// explainExec prints the steps of an exec that has ended.
func (a *app) explainExec(ctx context.Context, id string) {
	p, err := a.plan(ctx, "/exec/"+id)
	if err == nil {
		err = explain.Text(a.err, p, look(a.err))
	}
	a.notExplained(err)
}

// notExplained only tells of an error: the exit status of what ran is what the user asked for.
func (a *app) notExplained(err error) {
	if err != nil {
		fmt.Fprintf(a.err, "cutaway: explain: %v\n", err)
	}
}

// discard removes a container with its nameless volumes.
func (a *app) discard(ctx context.Context, id string) error {
	return a.do(ctx, call{method: "DELETE", path: "/containers/" + id, query: url.Values{"v": {"1"}}}, nil)
}
