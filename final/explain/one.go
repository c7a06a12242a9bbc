package explain

import (
	"io"

	"cutaway/final/plan"
)

// OneOptions says which step of a plan is to be explained, and how that looks.
type OneOptions struct {
	Options
	Index int // of the item, from 0
}

// One writes the explanation of one step in full: also the reason, which Text
// gives only once for each kind of step.
func One(w io.Writer, p *plan.Plan, o OneOptions) error {
	out := &page{Options: o.Options, told: map[string]int{}}
	out.step(Steps(p)[o.Index], shorten(p))
	_, err := io.WriteString(w, out.String())
	return err
}

// Abbreviate lists the shell variables that stand for the long strings of a
// plan, as NAME=VALUE, and returns what puts them into a command.
func Abbreviate(p *plan.Plan) (variables []string, apply func(command string) string) {
	s := shorten(p)
	return s.used, s.apply
}
