package exercises

import (
	"fmt"
	"path/filepath"
	"strings"

	"cutaway/chapters/exercise"
)

func gradeFreeze(g *exercise.G) {
	b := newLimitedBox(g)
	for range exercise.Number(2, 4) {
		b.start(spinner)
	}
	b.slow()
	g.NoError(b.Freeze(), "v1's file is freezer.state, v2's is cgroup.freeze, and each has words of its own.")
	hint := "It is about to: how does one see that it is done?"
	if got := state(b); got == "thawed" {
		hint = "Not for the kernel. What do its processes say to a signal, or to somebody who is waiting for them?"
	}
	g.Check(exercise.Check{Name: "frozen", Want: "frozen", Got: state(b), Hint: hint})
	g.NoError(b.Thaw(), "")
	g.Check(exercise.Check{Name: "thawed", Want: "thawed", Got: state(b), Hint: "Thaw is the same function, with on = false."})
	b.remove()
	if b.Freeze() == nil {
		g.Check(exercise.Check{Name: "no group", Want: "an error: the group is gone", Got: "no error", Hint: "Nothing was frozen."})
	}
}

// state is what the kernel says.
func state(b box) string {
	if file := b.file("freezer.state"); file != "" {
		return strings.ToLower(b.g.Read(file))
	}
	events := "\n" + b.g.Read(b.file("cgroup.events")) + "\n"
	switch {
	case strings.Contains(events, "\nfrozen 1\n"):
		return "frozen"
	case b.g.Read(filepath.Join(filepath.Dir(b.file("cgroup.events")), "cgroup.freeze")) == "1":
		return "freezing"
	case strings.Contains(events, "\nfrozen 0\n"):
		return "thawed"
	}
	return fmt.Sprint("unknown: ", events)
}
