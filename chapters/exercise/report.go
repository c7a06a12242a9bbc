package exercise

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// nothing is what a learner reads where an empty text was expected, or found.
const nothing = "nothing"

// Text writes the report for a learner.
func (r Report) Text(w io.Writer) error {
	if r.CompileError != "" {
		_, err := fmt.Fprintf(w, "%s does not compile:\n\n%s\n\n0 of %d points\n", r.Copy, r.CompileError, r.Of)
		return err
	}
	for _, e := range r.Exercises {
		mark := cmp.Or(map[State]string{Passed: "✓", Waits: "…", Unsolved: "·"}[e.State], "✗")
		fmt.Fprintf(w, "%s %-12s %d of %d   %s\n", mark, e.Exercise, e.Points, e.Of, e.Title)
		switch e.State {
		case Passed:
		case Unsolved:
			fmt.Fprintln(w, "    not solved yet")
		case Waits:
			row(w, "waits for", strings.Join(e.WaitsFor, ", "))
		case Broken:
			row(w, "broken", "the grader could not do its work: "+e.Found)
			row(w, "printed", e.Output)
		default:
			row(w, "looked at", e.Check)
			row(w, "expected", cmp.Or(e.Expected, nothing))
			row(w, "found", cmp.Or(e.Found, nothing))
			row(w, "hint", strings.Join(wrap(e.Hint, 80), "\n"))
			row(w, "printed", e.Output)
		}
	}
	_, err := fmt.Fprintf(w, "\n%d of %d points\n", r.Points, r.Of)
	return err
}

// JSON writes the report for a program.
func (r Report) JSON(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(r)
}

// row writes a label and a text, whose further lines are indented.
func row(w io.Writer, label, text string) {
	if text = strings.TrimSpace(text); text != "" {
		fmt.Fprintf(w, "    %-10s %s\n", label, strings.ReplaceAll(text, "\n", "\n               "))
	}
}

// Section is the exercises as Markdown, for the chapter's page and for the copy.
func (l List) Section() string {
	var out strings.Builder
	for i, e := range l.Exercises {
		text := fmt.Sprintf("%d. **%s** (`%s`, %s). %s To write: `%s`.",
			i+1, e.Title, e.Name, points(e.Points), e.Task, strings.Join(e.Empty, "`, `"))
		if len(e.After) > 0 {
			text += fmt.Sprintf(" After `%s`.", strings.Join(e.After, "`, `"))
		}
		out.WriteString(strings.Join(wrap(text, 140), "\n   ") + "\n")
	}
	return out.String()
}

func points(n int) string {
	if n == 1 {
		return "1 point"
	}
	return fmt.Sprintf("%d points", n)
}
