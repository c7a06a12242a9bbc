package explain

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"cutaway/final/plan"
)

// Options says how an explanation looks.
type Options struct {
	Width int  // of the terminal, in columns; 0 = do not break lines
	Color bool // with ANSI escapes
}

// Step is an item with its explanation, as --json has it.
type Step struct {
	Number  int           `json:"number"`
	Lane    plan.Lane     `json:"lane"`
	Name    string        `json:"step"`
	Shell   string        `json:"shell"`
	State   plan.State    `json:"state"`
	Took    time.Duration `json:"took"` // nanoseconds
	Failure *plan.Failure `json:"failure,omitempty"`
	Reason
}

// Steps explains the items of a plan.
func Steps(p *plan.Plan) []Step {
	var steps []Step
	for i, it := range p.Items {
		steps = append(steps, Step{
			Number: i + 1, Lane: it.Lane, Name: it.Name(), Shell: it.Step.String(),
			State: it.State, Took: it.Took, Failure: it.Failure, Reason: ReasonFor(it.Name()),
		})
	}
	return steps
}

// JSON writes the explanation for a program: a list of [Step].
func JSON(w io.Writer, p *plan.Plan) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "    ")
	e.SetEscapeHTML(false)
	return e.Encode(Steps(p))
}

// titles are the headings of the lanes.
var titles = map[plan.Lane]string{
	plan.Base:    "ON THE HOST, ONCE FOR ALL CONTAINERS",
	plan.Root:    "ON THE HOST: ITS FILES",
	plan.Limits:  "ON THE HOST: ITS LIMITS",
	plan.Wire:    "ON THE HOST: ITS NETWORK",
	plan.Process: "ON THE HOST: ITS PROCESS",
	plan.Inside:  "INSIDE, BY THAT PROCESS",
}

// Text writes the explanation for a person: the steps in order under the
// headings of their lanes, what went wrong, and a summary by chapter.
func Text(w io.Writer, p *plan.Plan, o Options) error {
	out := &page{o: o, told: map[string]int{}}
	short := shorten(p)
	out.head(p, short)
	var lane plan.Lane
	for _, s := range Steps(p) {
		if s.Lane != lane {
			lane = s.Lane
			out.line("")
			out.line(out.paint(bold, titles[lane]))
		}
		out.step(s, short)
	}
	out.summary(p)
	_, err := io.WriteString(w, out.String())
	return err
}

// ANSI escapes (console_codes(4)).
const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	cyan  = "\x1b[36m"
	reset = "\x1b[0m"
)

// page is text being laid out.
type page struct {
	strings.Builder
	o    Options
	told map[string]int // kinds of steps whose reason was given, and where
}

func (pg *page) paint(color, s string) string {
	if !pg.o.Color || color == "" || s == "" {
		return s
	}
	return color + s + reset
}

func (pg *page) line(s string) { pg.WriteString(strings.TrimRight(s, " ") + "\n") }

// head says what the abbreviations mean.
func (pg *page) head(p *plan.Plan, short *short) {
	pg.line(fmt.Sprintf("container %.12s: %d steps", p.Container, len(p.Items)))
	for _, v := range short.used {
		pg.line(pg.paint(dim, v.name+"="+v.value))
	}
}

// marks tell at a glance what became of a step.
var marks = map[plan.State]string{
	plan.Waiting: "·", plan.Begun: "…", plan.Done: "✓", plan.Failed: "✗", plan.Undone: "↩",
}

// step writes one step: number, mark, name and time in columns; below, the
// command, the reason, and where to read more.
func (pg *page) step(s Step, short *short) {
	mark, color := marks[s.State], green
	if s.Failure != nil {
		mark, color = marks[plan.Failed], red
	}
	took := ""
	if s.Took > 0 {
		took = duration(s.Took)
	}
	pg.line(fmt.Sprintf("%3d %s %s %9s", s.Number, pg.paint(color, mark), pg.paint(bold, pad(s.Name, 26)), took))
	for line := range strings.SplitSeq(short.apply(s.Shell), "\n") {
		pg.wrap(line, "      "+pg.paint(cyan, ""), cyan)
	}
	if first, seen := pg.told[s.Name]; seen {
		pg.wrap(fmt.Sprintf("(why: see step %d)", first), "      ", dim)
	} else {
		pg.told[s.Name] = s.Number
		pg.wrap(s.Why, "      ", "")
		place := fmt.Sprintf("%s:%d", s.File, s.Line)
		pg.wrap(strings.Join(append(s.Pages, place, s.Chapter), "  "), "      ", dim)
	}
	if s.Failure != nil {
		pg.failure(s.Failure, short)
	}
}

// failure says why a step failed, and what usually causes it.
func (pg *page) failure(f *plan.Failure, short *short) {
	pg.wrap("failed: "+short.apply(f.Message), "      ", red)
	if f.Call != "" {
		pg.wrap(strings.TrimSpace(fmt.Sprintf("system call %s %s", f.Call, short.apply(f.Path))), "      ", red)
	}
	if f.Errno != 0 {
		pg.wrap(fmt.Sprintf("errno %d: %s", int(f.Errno), f.Errno), "      ", red)
	}
	if s, ok := section(f.ID()); ok && s.Cause() != "" {
		pg.wrap(strings.ReplaceAll(s.Cause(), "`", ""), "      ", "")
		pg.wrap("more: cutaway explain --error "+f.ID(), "      ", dim)
	}
}

// wrap writes s below an indentation, broken between words.
func (pg *page) wrap(s, indent, color string) {
	width := pg.o.Width - utf8.RuneCountInString(indent)
	var line []string
	length := 0
	flush := func() {
		if len(line) > 0 {
			pg.line(indent + pg.paint(color, strings.Join(line, " ")))
		}
		line, length = nil, 0
	}
	for word := range strings.SplitSeq(s, " ") {
		n := utf8.RuneCountInString(word)
		if pg.o.Width > 0 && length > 0 && length+1+n > width {
			flush()
		}
		line = append(line, word)
		length += n + 1
	}
	flush()
}

// summary counts steps and time by chapter.
func (pg *page) summary(p *plan.Plan) {
	type sum struct {
		steps int
		took  time.Duration
	}
	var order []string
	sums := map[string]*sum{}
	for _, it := range p.Items {
		chapter := ReasonFor(it.Name()).Chapter
		if sums[chapter] == nil {
			sums[chapter] = &sum{}
			order = append(order, chapter)
		}
		sums[chapter].steps++
		sums[chapter].took += it.Took
	}
	pg.line("")
	pg.line(pg.paint(bold, "BY CHAPTER"))
	for _, chapter := range order {
		pg.line(fmt.Sprintf("  %s %3d steps %10s", pad(chapter, 28), sums[chapter].steps, duration(sums[chapter].took)))
	}
}

// pad fills s up with spaces.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// duration is a time with three digits or so.
func duration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
