package cli

import (
	"fmt"
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
)

// A projector's screen has this much room.
const (
	stepColumns = 80
	stepLines   = 8 // of one command, or of what one view gained or lost
)

// begin is told the plan: it finds out where to look, and says what the abbreviations mean.
func (s *stepper) begin() {
	s.subject, s.blind = s.places()
	if s.blind == "" {
		s.picture = observe.Look(s.subject)
	}
	variables, apply := explain.Abbreviate(s.plan)
	s.shorten = apply
	if !s.step {
		return
	}
	s.print("")
	s.print(s.paint(explain.Dim, fmt.Sprintf("container %.12s: %d steps, of which the engine did %d when it started",
		s.id, len(s.plan.Items), len(s.plan.Of(plan.Base)))))
	for _, v := range variables {
		s.print(s.paint(explain.Dim, v))
	}
	if s.blind != "" {
		s.printFolded("", "What the steps change is not shown, and there is no shell: "+s.blind)
	}
}

// places finds the engine's process, and in the plan the places of what steps make.
func (s *stepper) places() (observe.Subject, string) {
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
	s.print(left + s.paint(explain.Bold, it.Name()) + " " + strings.Repeat("━", max(2, fill)) + s.paint(explain.Dim, right))
	s.print("")
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSuffix(s.shorten(it.Step.String()), "\n"), "\n") {
		lines = append(lines, fold(line, stepColumns-4)...)
	}
	for _, line := range lines[:min(len(lines), stepLines)] {
		s.print("    " + s.paint(explain.Cyan, line))
	}
	if more := len(lines) - stepLines; more > 0 {
		s.print(s.paint(explain.Dim, fmt.Sprintf("    … and %d more; m shows all", more)))
	}
	if brief := explain.ReasonFor(it.Name()).Brief(); brief != "" {
		s.print("")
		s.printFolded("    ", brief)
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
	if from == to {
		return
	}
	what := fmt.Sprintf("to %d", to)
	if to == from+1 {
		what = s.plan.Items[from].Name()
	}
	s.print(fmt.Sprintf("%s %d %s  %s", s.paint(explain.Green, "✓"), from+1, what, s.paint(explain.Dim, explain.Duration(took))))
	if s.blind != "" {
		return
	}
	now := observe.Look(s.subject)
	list := now.Since(s.picture)
	s.picture = now
	for _, c := range list {
		s.print("  " + s.paint(explain.Bold, c.Title))
		s.lines("-", explain.Red, c.Gone)
		s.lines("+", explain.Green, c.New)
	}
	if len(list) == 0 {
		s.print(s.paint(explain.Dim, "  nothing that can be seen from here"))
	}
}

// lines prints what a view lost or gained, as far as there is room.
func (s *stepper) lines(sign string, style explain.Style, lines []string) {
	for i, line := range lines {
		if left := len(lines) - i; i >= stepLines && left > 1 {
			s.print(s.paint(style, fmt.Sprintf("    %s … and %d more", sign, left)))
			return
		}
		s.print(s.paint(style, ellipsis("    "+sign+" "+s.shorten(line), stepColumns)))
	}
}

// finished says that the container runs.
func (s *stepper) finished() {
	if s.step && s.until == nil {
		s.print(s.paint(explain.Green, "✓") + " the container runs")
		s.print("")
	}
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

// printFolded prints a sentence, each line of it indented.
func (s *stepper) printFolded(indent, text string) {
	for _, line := range fold(text, stepColumns-len(indent)) {
		s.print(indent + line)
	}
}

func (s *stepper) print(line string) { fmt.Fprintln(s.err, strings.TrimRight(line, " ")) }

// paint gives text a style if our terminal shows it.
func (s *stepper) paint(style explain.Style, text string) string { return s.look().Paint(style, text) }

// look is that of a page on the projector.
func (s *stepper) look() explain.Options {
	return explain.Options{Width: stepColumns, Color: look(s.app.err).Color}
}
