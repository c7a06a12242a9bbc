package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	chroot "cutaway/01-chroot"
	cgroups "cutaway/03-cgroups"
	network "cutaway/06-network"
	"cutaway/final/explain"
	"cutaway/final/observe"
	"cutaway/final/plan"

	"golang.org/x/term"
)

// A projector's screen has this much room.
const (
	stepColumns = 80
	stepLines   = 8 // of one command, or of what one view gained or lost
)

// begin is told the plan: it finds out where to look, and says what the abbreviations mean.
func (s *stepper) begin() {
	s.subject, s.blind = s.look()
	if s.blind == "" {
		s.picture = observe.Look(s.subject)
	}
	variables, apply := explain.Abbreviate(s.plan)
	s.shorten = apply
	if !s.step {
		return
	}
	s.print("")
	s.print(s.paint(dim, fmt.Sprintf("container %.12s: %d steps, of which the engine did %d when it started",
		s.id, len(s.plan.Items), len(s.plan.Of(plan.Base)))))
	for _, v := range variables {
		s.print(s.paint(dim, v))
	}
	if s.blind != "" {
		s.printFolded("What the steps change is not shown, and there is no shell: " + s.blind)
	}
}

// look finds the engine's process, and in the plan the places of what steps make.
func (s *stepper) look() (observe.Subject, string) {
	var subject observe.Subject
	var err error
	subject.Engine, err = s.enginePID()
	if pivot, ok := plan.Find[chroot.Pivot](s.plan); ok {
		subject.Root, subject.Dir = pivot.Root, filepath.Dir(pivot.Root)
	}
	if ns, ok := plan.Find[network.Namespace](s.plan); ok {
		subject.Netns = ns.Path
	}
	if group, ok := plan.Find[cgroups.Create](s.plan); ok {
		subject.Groups = group.Paths
	}
	for _, it := range s.plan.Items {
		switch step := it.Step.(type) {
		case cgroups.Set:
			subject.Limits = append(subject.Limits, step.Path)
		case cgroups.Inherit:
			subject.Limits = append(subject.Limits, step.Path+"/cpuset.cpus", step.Path+"/cpuset.mems")
		}
	}
	if err != nil {
		return subject, err.Error()
	}
	return subject, ""
}

// show prints what has changed since the last stop, and what comes.
func (s *stepper) show() {
	s.changes()
	it := s.plan.Items[s.now.Next]
	s.print("")
	left := fmt.Sprintf("━━ %d of %d ━━ ", s.now.Next+1, len(s.plan.Items))
	right := " " + s.side(it)
	fill := stepColumns - utf8.RuneCountInString(left+it.Name()+right) - 1
	s.print(left + s.paint(bold, it.Name()) + " " + strings.Repeat("━", max(2, fill)) + s.paint(dim, right))
	s.print("")
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSuffix(s.shorten(it.Step.String()), "\n"), "\n") {
		lines = append(lines, fold(line, stepColumns-4)...)
	}
	for _, line := range lines[:min(len(lines), stepLines)] {
		s.print("    " + s.paint(cyan, line))
	}
	if more := len(lines) - stepLines; more > 0 {
		s.print(s.paint(dim, fmt.Sprintf("    … and %d more; m shows all", more)))
	}
	if brief := explain.ReasonFor(it.Name()).Brief(); brief != "" {
		s.print("")
		s.printFolded("    " + brief)
	}
	s.print("")
}

// side says who performs a step.
func (s *stepper) side(it *plan.Item) string {
	switch it.Lane {
	case plan.Inside:
		return fmt.Sprintf("inside, by process %d", s.now.PID)
	case plan.Process:
		return "on the host, by its shim"
	default:
		return "on the host"
	}
}

// changes prints what the kernel shows differently since the last stop.
func (s *stepper) changes() {
	from, to := s.shown, s.now.Next
	s.shown = to
	var took time.Duration
	for _, it := range s.plan.Items[from:to] {
		took += it.Took
	}
	switch {
	case from == to:
		return
	case to == from+1:
		s.print(fmt.Sprintf("%s %d %s  %s", s.paint(green, "✓"), from+1, s.plan.Items[from].Name(), s.paint(dim, roundTime(took))))
	default:
		s.print(fmt.Sprintf("%s %d to %d  %s", s.paint(green, "✓"), from+1, to, s.paint(dim, roundTime(took))))
	}
	if s.blind != "" {
		return
	}
	now := observe.Look(s.subject)
	list := now.Since(s.picture)
	s.picture = now
	for _, c := range list {
		s.print("  " + s.paint(bold, c.Title))
		s.lines("-", red, c.Gone)
		s.lines("+", green, c.New)
	}
	if len(list) == 0 {
		s.print(s.paint(dim, "  nothing that can be seen from here"))
	}
}

// lines prints what a view lost or gained, as far as there is room.
func (s *stepper) lines(sign, color string, lines []string) {
	for i, line := range lines {
		if left := len(lines) - i; i >= stepLines && left > 1 {
			s.print(s.paint(color, fmt.Sprintf("    %s … and %d more", sign, left)))
			return
		}
		s.print(s.paint(color, cut("    "+sign+" "+s.shorten(line))))
	}
}

// finished says that the container runs.
func (s *stepper) finished() {
	if s.step && s.until == nil {
		s.print(s.paint(green, "✓") + " the container runs")
		s.print("")
	}
}

// cut makes a line fit.
func cut(line string) string {
	if runes := []rune(line); len(runes) > stepColumns {
		return string(runes[:stepColumns-1]) + "…"
	}
	return line
}

// fold breaks a text between words, and words that are too long anywhere.
func fold(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.SplitSeq(text, " ") {
		if line != "" && utf8.RuneCountInString(line+" "+word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
		for runes := []rune(line); len(runes) > width; runes = []rune(line) {
			lines = append(lines, string(runes[:width]))
			line = string(runes[width:])
		}
	}
	return append(lines, line)
}

// printFolded prints a sentence, with its indentation before each line.
func (s *stepper) printFolded(text string) {
	rest := strings.TrimLeft(text, " ")
	indent := text[:len(text)-len(rest)]
	for _, line := range fold(rest, stepColumns-len(indent)) {
		s.print(indent + line)
	}
}

func (s *stepper) print(line string) { fmt.Fprintln(s.err, strings.TrimRight(line, " ")) }

// ANSI escapes (console_codes(4)).
const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	cyan  = "\x1b[36m"
	plain = "\x1b[0m"
)

// paint colours a text if a terminal shows it.
func (s *stepper) paint(color, text string) string {
	if !s.colored() || text == "" || color == "" {
		return text
	}
	return color + text + plain
}

func (s *stepper) colored() bool {
	f, ok := s.app.err.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == ""
}

// roundTime is a time for a person.
func roundTime(d time.Duration) string {
	if d < time.Millisecond {
		return fmt.Sprintf("%d µs", d.Microseconds())
	}
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}
