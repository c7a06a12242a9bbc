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
	plan.Cable:   "ON THE HOST: ITS CABLE",
	plan.Process: "ON THE HOST: ITS PROCESS",
	plan.Inside:  "INSIDE, BY THAT PROCESS",
}

// Text writes the explanation for a person: the steps in order under the
// headings of their lanes, what went wrong, and a summary by chapter.
func Text(w io.Writer, p *plan.Plan, o Options) error {
	out := &page{Options: o, told: map[string]int{}}
	short := shorten(p)
	out.head(p, short)
	var lane plan.Lane
	for _, s := range Steps(p) {
		if s.Lane != lane {
			lane = s.Lane
			out.line("")
			out.line(out.Paint(Bold, titles[lane]))
		}
		out.step(s, short)
	}
	out.summary(p)
	_, err := io.WriteString(w, out.String())
	return err
}

// Style is a colour or weight of text: an ANSI escape (console_codes(4)).
type Style string

// The styles that explanations have.
const (
	Bold  Style = "\x1b[1m"
	Dim   Style = "\x1b[2m"
	Red   Style = "\x1b[31m"
	Green Style = "\x1b[32m"
	Cyan  Style = "\x1b[36m"
	Plain Style = ""
	reset Style = "\x1b[0m"
)

// Paint gives text a style, if it is to be shown in colour.
func (o Options) Paint(s Style, text string) string {
	if !o.Color || s == Plain || text == "" {
		return text
	}
	return string(s + Style(text) + reset)
}

// page is text being laid out.
type page struct {
	strings.Builder
	Options
	told map[string]int // kinds of steps whose reason was given, and where
}

func (pg *page) line(s string) { pg.WriteString(strings.TrimRight(s, " ") + "\n") }

// head says what the abbreviations mean.
func (pg *page) head(p *plan.Plan, short *short) {
	pg.line(fmt.Sprintf("container %.12s: %d steps", p.Container, len(p.Items)))
	for _, v := range short.used {
		pg.line(pg.Paint(Dim, v))
	}
}

// marks tell at a glance what became of a step.
var marks = map[plan.State]string{
	plan.Waiting: "·", plan.Begun: "…", plan.Done: "✓", plan.Failed: "✗", plan.Undone: "↩",
}

// step writes one step: number, mark, name and time in columns; below, the
// command, the reason, and where to read more.
func (pg *page) step(s Step, short *short) {
	mark, style := marks[s.State], Green
	if s.Failure != nil {
		mark, style = marks[plan.Failed], Red
	}
	took := ""
	if s.Took > 0 {
		took = Duration(s.Took)
	}
	pg.line(fmt.Sprintf("%3d %s %s %9s", s.Number, pg.Paint(style, mark), pg.Paint(Bold, fmt.Sprintf("%-26s", s.Name)), took))
	for line := range strings.SplitSeq(short.apply(s.Shell), "\n") {
		pg.wrap(line, "      ", Cyan)
	}
	if first, seen := pg.told[s.Name]; seen {
		pg.wrap(fmt.Sprintf("(why: see step %d)", first), "      ", Dim)
	} else {
		pg.told[s.Name] = s.Number
		pg.wrap(s.Why, "      ", Plain)
		place := fmt.Sprintf("%s:%d", s.File, s.Line)
		pg.wrap(strings.Join(append(s.Pages, place, s.Chapter), "  "), "      ", Dim)
	}
	if s.Failure != nil {
		pg.failure(s.Failure, short)
	}
}

// failure says why a step failed, and what usually causes it.
func (pg *page) failure(f *plan.Failure, short *short) {
	pg.wrap("failed: "+short.apply(f.Message), "      ", Red)
	if f.Call != "" {
		pg.wrap(strings.TrimSpace(fmt.Sprintf("system call %s %s", f.Call, short.apply(f.Path))), "      ", Red)
	}
	if f.Errno != 0 {
		pg.wrap(fmt.Sprintf("errno %d: %s", int(f.Errno), f.Errno), "      ", Red)
	}
	if s, ok := section(f.ID()); ok && s.Cause() != "" {
		pg.wrap(strings.ReplaceAll(s.Cause(), "`", ""), "      ", Plain)
		pg.wrap("more: cutaway explain --error "+f.ID(), "      ", Dim)
	}
}

// wrap writes s below an indentation, broken between words.
func (pg *page) wrap(s, indent string, style Style) {
	width := pg.Width - utf8.RuneCountInString(indent)
	var line []string
	length := 0
	flush := func() {
		if len(line) > 0 {
			pg.line(indent + pg.Paint(style, strings.Join(line, " ")))
		}
		line, length = nil, 0
	}
	for word := range strings.SplitSeq(s, " ") {
		n := utf8.RuneCountInString(word)
		if pg.Width > 0 && length > 0 && length+1+n > width {
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
	pg.line(pg.Paint(Bold, "BY CHAPTER"))
	for _, chapter := range order {
		pg.line(fmt.Sprintf("  %-28s %3d steps %10s", chapter, sums[chapter].steps, Duration(sums[chapter].took)))
	}
}

// Duration is a time with three digits or so.
func Duration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
