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
	wanted  map[*plan.Item][]want // what wants has found out
	files   string                // the limit of open files with which the child began
}

// newWindow has one fact that is none, so that 0 is before the first.
func newWindow() *window {
	return &window{facts: []fact{{soft: true}}, wanted: map[*plan.Item][]want{}}
}

// between is the window from a request of the API to the answer. What the child
// does before it has read its orders is the birth of a Go program, and no step's.
// It may have been born before, and waited: then so belongs to the window what its
// shim did until then. That may, on a busy machine, only now have the child that was
// likely to be wanted, and is not. The execve may be seen to return after the answer,
// which it causes.
func between(facts []fact, request string) (*window, error) {
	start := slices.IndexFunc(facts, func(f fact) bool { return f.who == "daemon" && strings.HasPrefix(f.what, "read POST "+request) })
	reads := slices.IndexFunc(facts[start+1:], func(f fact) bool { return f.who == "child" && strings.HasPrefix(f.what, "read ") })
	if start < 0 || reads < 0 {
		return nil, fmt.Errorf("the trace has no request %s, or no child that it started", request)
	}
	child := facts[start+1+reads]
	waited := child.born < facts[start].line
	w := newWindow()
	answered, became := false, false
	for i, f := range facts {
		within := i > start && !answered && f.who == "daemon"
		switch {
		case i > start && f.what == "answer":
			answered = true
		case f.pid == child.pid && i < start+1+reads:
			if limit, ok := strings.CutPrefix(f.what, "limit RLIMIT_NOFILE "); ok && w.files == "" {
				w.files = limit
			}
		case strings.HasPrefix(f.what, "read "), f.pid == child.parent && f.bears != 0 && f.bears != child.pid:
		case within, f.pid == child.pid, f.pid == child.parent && (waited || i > start) && !answered:
			w.facts = append(w.facts, f)
			became = became || f.pid == child.pid && strings.HasPrefix(f.what, "execve /")
		}
		if answered && became {
			return w, nil
		}
	}
	return nil, fmt.Errorf("the trace has no answer to the request %s", request)
}

// machinery is what the engine does for itself, and no plan lists: the process
// that holds the container's streams; and what Go does for it, which raises its
// limit of open files and puts it back for whom it starts.
var machinery = []want{
	{what: "prlimit64 RLIMIT_NOFILE *", who: "daemon"}, {what: "prlimit64 RLIMIT_NOFILE *", who: "shim"},
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
	for _, i := range x.facts {
		if i > after && (!w.claimed[i] || w.facts[i].soft) {
			w.claimed[i] = true
			return i, true
		}
	}
	return 0, false
}

// performers are who does the steps of a lane.
var performers = map[plan.Lane]string{
	plan.Base: "daemon", plan.Root: "daemon", plan.Limits: "daemon", plan.Wire: "daemon", plan.Cable: "daemon", plan.Process: "shim", plan.Inside: "child",
}

// compare says in what the plan and the kernel differ.
//
// The steps of a lane are done one after the other, and so are their facts in
// the trace: a fact that comes before the facts of an earlier step of its lane
// is not this step's.
func (w *window) compare(p *plan.Plan) (lies []string) {
	w.claimed = make([]bool, len(w.facts))
	after := map[plan.Lane]int{plan.Base: 0} // the last fact of each lane
	for i, it := range p.Items {
		if it.State != plan.Done {
			lies = append(lies, fmt.Sprintf("step %d, %s, is %q", i+1, it.Name(), it.State))
		}
		after[it.Lane] = earliest(it, after)
		last := after[it.Lane]
		if len(w.wants(it)) == 0 {
			lies = append(lies, fmt.Sprintf("step %d, %s, stands for nothing that claims_test.go knows", i+1, it.Name()))
		}
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
			for at, n, more := 0, 0, x.maybe; more && (x.most == 0 || n < x.most); n++ {
				at, more = w.take(x, at)
			}
		}
	}
	return append(lies, w.unlisted()...)
}

// earliest is the last fact before which an item cannot have begun: that of its lane,
// and of those that its lane, or the program, waits for.
func earliest(it *plan.Item, after map[plan.Lane]int) int {
	_, program := it.Step.(plan.Exec)
	switch {
	case program:
		return max(after[plan.Inside], after[plan.Cable])
	case it.Lane == plan.Cable:
		return max(after[plan.Cable], after[plan.Wire])
	case it.Lane == plan.Inside:
		return max(after[plan.Inside], after[plan.Root], after[plan.Limits], after[plan.Wire], after[plan.Process])
	}
	return after[it.Lane]
}

// wants are an item's claims, with who has to do it.
func (w *window) wants(it *plan.Item) []want {
	if list, ok := w.wanted[it]; ok {
		return list
	}
	list := claims(it.Step, w.seen)
	if _, ok := it.Step.(plan.Exec); ok {
		// Go raises its limit of open files, and execve has to put it back.
		list = append(list, maybe("prlimit64 RLIMIT_NOFILE "+w.files))
	}
	for i := range list {
		x := &list[i]
		if x.who == "" {
			x.who = performers[it.Lane]
		}
		for n, f := range w.facts {
			if x.matches(f) {
				x.facts = append(x.facts, n)
			}
		}
	}
	w.wanted[it] = list
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

// certain tells whether an item has left a fact of its own, that nothing else
// can explain. Not so a look at what is there, or a directory that was.
func (w *window) certain(it *plan.Item) bool {
	return slices.ContainsFunc(w.wants(it), func(x want) bool {
		return !x.maybe && slices.ContainsFunc(x.facts, func(i int) bool { return !w.facts[i].soft })
	})
}

// base is what the daemon did to the network before its first container.
func base(facts []fact) *window {
	w := newWindow()
	for _, f := range facts {
		if strings.HasPrefix(f.what, "read POST ") {
			break
		}
		for _, kind := range []string{"add ", "set ", "change ", "nft ", "look ", "write /proc/sys/", "create /proc/sys/", "RTM_", "conntrack "} {
			if f.who == "daemon" && strings.HasPrefix(f.what, kind) {
				w.facts = append(w.facts, f)
			}
		}
	}
	return w
}
