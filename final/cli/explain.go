package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// ExplainOptions says how a plan is to be printed.
type ExplainOptions struct {
	JSON  bool
	Width int  // columns of the terminal; 0 = it is none
	Color bool // it shows colours
}

func (a *app) explainCommand() *cobra.Command {
	var o ExplainOptions
	c := &cobra.Command{
		Use:   "explain [OPTIONS] CONTAINER",
		Short: "Show the steps that made a container, and why",
		Args:  exactly(1),
		RunE:  func(c *cobra.Command, args []string) error { return a.explain(c.Context(), args[0], o) },
	}
	c.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	return c
}

// explain fetches the plan and leaves its explanation to whom it belongs.
func (a *app) explain(ctx context.Context, ref string, o ExplainOptions) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	var plan json.RawMessage
	if err := c.do(ctx, call{method: "GET", path: "/containers/" + ref + "/plan"}, &plan); err != nil {
		return err
	}
	if a.Explain == nil {
		_, err := fmt.Fprintf(a.out, "%s\n", plan)
		return err
	}
	o.Width = terminalWidth(a.out)
	o.Color = o.Width > 0 && os.Getenv("NO_COLOR") == ""
	return a.Explain(a.out, plan, o)
}
