package truth

import (
	"fmt"
	"slices"
	"strings"

	"cutaway/final/plan"
)

// window is the facts between two points of a trace.
type window struct {
	facts   []fact
	claimed []bool
}

// between is the window from a request of the API to the answer. What the child
// does before it has read its orders is the birth of a Go program, and no step's.
// Its execve may be seen to return after the answer, which it causes.
func between(facts []fact, request string) (*window, error) {
	w := &window{facts: make([]fact, 1)} // so that 0 is before the first
	w.facts[0].soft = true
	started, answered, child := false, false, 0
	for _, f := range facts {
		switch {
		case !started:
			started = f.who == "daemon" && strings.HasPrefix(f.what, "read POST "+request)
		case f.what == "answer":
			answered = true
		case f.who == "child" && child == 0:
			if strings.HasPrefix(f.what, "read ") {
				child = f.pid
			}
		case !strings.HasPrefix(f.what, "read ") && (!answered || f.pid == child):
			w.facts = append(w.facts, f)
		}
		if last := len(w.facts) - 1; answered && w.facts[last].who == "child" && strings.HasPrefix(w.facts[last].what, "execve /") {
			w.claimed = make([]bool, len(w.facts))
			return w, nil
		}
	}
	return nil, fmt.Errorf("the trace has no request %s, or no answer to it", request)
}

// machinery is what the engine does for itself, and no plan lists: the process
// that holds the container's streams.
var machinery = []want{
	{what: "clone", who: "daemon"}, {what: "execve shim", who: "daemon", maybe: true},
	{what: "create /proc/self/comm", who: "shim"}, {what: "write /proc/self/comm: cutaway-shim", who: "shim"},
}

// matches tells whether a fact is what is wanted. A star stands for anything.
func (w want) matches(f fact) bool {
	if w.who != "" && w.who != f.who {
		return false
	}
	if before, after, star := strings.Cut(w.what, "*"); star && !strings.Contains(w.what, "*1024") {
		after = strings.TrimPrefix(after, " ")
		if !strings.HasPrefix(f.what, before) || !strings.Contains(f.what[len(before):], after) {
			return false
		}
	} else if f.what != w.what && strings.TrimSpace(f.what) != strings.TrimSpace(w.what) {
		_, args, _ := strings.Cut(f.what, " ")
		if args == "" || !strings.HasPrefix(f.what, w.what+" ") || !slices.Contains(loose, w.what) {
			return false
		}
	}
	for _, detail := range w.has {
		if !strings.Contains(f.what, detail) && !strings.Contains(f.raw, detail) {
			return false
		}
	}
	return true
}

// loose are calls whose arguments say nothing.
var loose = []string{"pivot_root", "fchdir"}

// take finds the first fact that nobody has claimed, and claims it. A look may
// be claimed by several.
func (w *window) take(x want, after int) (at int, ok bool) {
	for i, f := range w.facts {
		if i > after && (!w.claimed[i] || f.soft) && x.matches(f) {
			w.claimed[i] = true
			return i, true
		}
	}
	return 0, false
}

// performers are who does the steps of a lane.
var performers = map[plan.Lane]string{
	plan.Root: "daemon", plan.Limits: "daemon", plan.Wire: "daemon", plan.Process: "shim", plan.Inside: "child",
}

// compare says in what the plan and the kernel differ.
//
// The steps of a lane are done one after the other, and so are their facts in
// the trace: a fact that comes before the facts of an earlier step of its lane
// is not this step's.
func (w *window) compare(p *plan.Plan) (lies []string) {
	after := map[plan.Lane]int{}
	for i, it := range p.Items {
		if it.Lane == plan.Base {
			continue
		}
		if it.State != plan.Done {
			lies = append(lies, fmt.Sprintf("step %d, %s, is %q", i+1, it.Name(), it.State))
		}
		last := after[it.Lane]
		for _, x := range w.wants(it) {
			if x.maybe {
				continue
			}
			at, found := w.take(x, after[it.Lane])
			if !found {
				lies = append(lies, fmt.Sprintf("listed, and did not happen: %s %q (step %d, %s)", x.what, x.has, i+1, it.Name()))
			} else if !w.facts[at].soft {
				last = max(last, at)
			}
		}
		after[it.Lane] = last
	}
	for _, it := range p.Items {
		for _, x := range w.wants(it) {
			for at, more := 0, x.maybe; more; {
				at, more = w.take(x, at)
			}
		}
	}
	return append(lies, w.unlisted()...)
}

// wants are an item's claims, with who has to do it.
func (w *window) wants(it *plan.Item) []want {
	list := claims(it.Step, w.seen)
	for i := range list {
		if list[i].who == "" {
			list[i].who = performers[it.Lane]
		}
	}
	return list
}

// seen tells whether something is in the window.
func (w *window) seen(what string) bool {
	return slices.ContainsFunc(w.facts, func(f fact) bool { return want{what: what}.matches(f) })
}

// unlisted is what happened, and no step said so.
func (w *window) unlisted() (lies []string) {
	for i, f := range w.facts {
		if w.claimed[i] || f.soft || slices.ContainsFunc(machinery, func(x want) bool { return x.matches(f) }) {
			continue
		}
		lies = append(lies, fmt.Sprintf("happened, and is not listed: %s (by the %s, line %d of the trace: %s)", f.what, f.who, f.line, f.raw))
	}
	return lies
}
