package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"

	"cutaway/final/explain"
	"cutaway/final/observe"
	"cutaway/final/plan"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
)

// stepFlags are the flags of a start that can be stopped before each step.
type stepFlags struct {
	step bool
	at   []string // names or numbers of steps
	run  []string // a command for each of them
}

func (f *stepFlags) bind(fs *pflag.FlagSet) {
	fs.BoolVar(&f.step, "step", false, "stop before each step, and show what the last one has changed")
	fs.StringArrayVar(&f.at, "step-at", nil, "stop before the steps of this `name` or number, for --step-run")
	fs.StringArrayVar(&f.run, "step-run", nil, "`command` to run there with sh, with CUTAWAY_PID, CUTAWAY_ROOTFS, CUTAWAY_NETNS, CUTAWAY_CGROUP")
}

func (f *stepFlags) wanted() bool { return f.step || len(f.at)+len(f.run) > 0 }

func (f *stepFlags) check() error {
	if len(f.at) != len(f.run) {
		return errors.New("each --step-at NAME needs its --step-run COMMAND, and each --step-run its --step-at")
	}
	return nil
}

// starter is what starts a container: at once, or step by step.
func (f *stepFlags) starter(a *app) starter {
	if !f.wanted() {
		return starter{do: a.startContainer}
	}
	return starter{interactive: true, do: func(ctx context.Context, id string) error { return a.stepContainer(ctx, id, *f) }}
}

// stop is one line of the daemon's: see Stop in final/engine.
type stop struct {
	Next  int
	Plan  *plan.Plan // at the first stop
	Items []struct {
		Index int
		Item  *plan.Item
	}
	PID   int // the child's, once there is one
	Error string
	Topic struct{ ID, Chapter string } // of the error
	Done  bool
}

// heard is what came from the daemon: a stop, or an error instead of it.
type heard struct {
	stop stop
	err  error
}

// answer is one line of ours.
type answer struct {
	Quit bool `json:"quit,omitempty"`
}

// stepper follows one start from stop to stop.
type stepper struct {
	*app
	stepFlags
	id         string
	plan       *plan.Plan
	now        stop
	heard      chan heard
	over       chan struct{}       // closed when the daemon has said the last
	shown      int                 // the item before which the last picture was taken
	until      func(i int) bool    // whether to stop before item i; nil = before each
	picture    observe.Picture     // at the last stop that was shown
	subject    observe.Subject     // what the pictures are of
	blind      string              // why there are no pictures and no shell; "" if there are
	shorten    func(string) string // puts variables for long paths
	interrupts chan os.Signal      // Ctrl-C
}

var errEngineGone = errors.New("the engine is gone; what it had begun is undone when it starts again")

// stepContainer starts a container with stops. Whatever ends it before the last step (Ctrl-C, a failing command, a
// failing step) ends the start, and the daemon undoes what was done; if this process is killed, too.
func (a *app) stepContainer(ctx context.Context, id string, f stepFlags) error {
	conn, err := a.hijack(ctx, call{method: "POST", path: "/containers/" + id + "/step"})
	if err != nil {
		return exitError{125, err}
	}
	defer conn.Close()
	ctx, cancel := signal.NotifyContext(ctx, unix.SIGTERM, unix.SIGHUP)
	defer cancel()
	s := &stepper{app: a, stepFlags: f, id: id, interrupts: make(chan os.Signal, 1), heard: make(chan heard, 2), over: make(chan struct{})}
	signal.Notify(s.interrupts, unix.SIGINT)
	defer signal.Stop(s.interrupts)
	return s.follow(ctx, conn)
}

// follow answers the daemon's stops until the container runs or is undone. Once we have said "quit" the reason for
// that is the error, and the daemon's last line the proof that all is undone.
func (s *stepper) follow(ctx context.Context, conn *hijacked) error {
	go s.listen(conn)
	out := json.NewEncoder(conn)
	var reason error
	for {
		said := <-s.heard
		if said.err != nil {
			return exitError{125, errors.Join(reason, errEngineGone)}
		}
		s.now = said.stop
		s.remember()
		switch {
		case s.now.Done:
			s.finished()
			return nil
		case s.now.Error != "" && reason != nil:
			return reason
		case s.now.Error != "":
			err := s.failure()
			return exitError{startStatus(err), err}
		}
		if reason = s.pause(ctx); errors.Is(reason, errOver) {
			reason = nil
			continue
		}
		_ = out.Encode(answer{Quit: reason != nil}) // an engine that is gone, or has ended the start, says so or is silent
	}
}

// listen passes on what the daemon says, until that is the last.
func (s *stepper) listen(conn *hijacked) {
	in := json.NewDecoder(conn)
	for {
		var said heard
		said.err = in.Decode(&said.stop)
		s.heard <- said
		if said.err != nil || said.stop.Done || said.stop.Error != "" {
			close(s.over)
			return
		}
	}
}

// failure is the error of a start that failed by itself, with where it is explained.
func (s *stepper) failure() error {
	e := &apiError{Message: s.now.Error, ID: s.now.Topic.ID, Chapter: s.now.Topic.Chapter}
	if s.plan == nil {
		return e
	}
	for i, it := range s.plan.Items {
		if it.Failure == nil {
			continue
		}
		if s.step {
			s.print(fmt.Sprintf("%s %d %s; everything is undone", s.paint(explain.Red, "✗"), i+1, it.Name()))
		}
		break
	}
	return e
}

// remember takes over what the daemon says of the plan.
func (s *stepper) remember() {
	if s.now.Plan != nil {
		s.plan, s.shown = s.now.Plan, s.now.Next
		s.begin()
	}
	for _, c := range s.now.Items {
		if s.plan != nil && c.Index < len(s.plan.Items) {
			s.plan.Items[c.Index] = c.Item
		}
	}
	s.subject.Child = s.now.PID
}

// pause is one stop: the commands of --step-run, then, with --step, the user. An error ends the start.
func (s *stepper) pause(ctx context.Context) error {
	if s.now.Plan != nil {
		if err := s.findAll(); err != nil {
			return err
		}
	}
	for i, name := range s.at {
		if !s.matches(name, s.now.Next) {
			continue
		}
		if err := s.command(ctx, s.run[i]); err != nil {
			return exitError{125, fmt.Errorf("--step-run before step %d, %s: %q: %w; everything is undone",
				s.now.Next+1, s.plan.Items[s.now.Next].Name(), s.run[i], err)}
		}
	}
	if err := s.interrupted(ctx); err != nil {
		return err
	}
	if !s.step || s.until != nil && !s.until(s.now.Next) {
		return nil
	}
	s.until = nil
	s.show()
	return s.dialogue(ctx)
}

// errInterrupted is the end by a signal.
var errInterrupted = exitError{130, errors.New("interrupted; everything is undone")}

// interrupted tells of signals that have come since the last stop.
func (s *stepper) interrupted(ctx context.Context) error {
	select {
	case <-s.interrupts:
		return errInterrupted
	case <-ctx.Done():
		return errInterrupted
	default:
		return nil
	}
}

// findAll refuses names that the plan does not have, before anything is done.
func (s *stepper) findAll() error {
	for _, name := range s.at {
		if s.find(name, s.now.Next) < 0 {
			return exitError{125, s.unknown(name)}
		}
	}
	return nil
}

func (s *stepper) unknown(name string) error {
	var names []string
	for _, it := range s.plan.Items[s.now.Next:] {
		if !slices.Contains(names, it.Name()) {
			names = append(names, it.Name())
		}
	}
	return fmt.Errorf("no step from here on is called %q; there are %s", name, strings.Join(names, ", "))
}

// find is the first item from a place on that has this name; -1 if there is none.
func (s *stepper) find(name string, from int) int {
	for i := from; i < len(s.plan.Items); i++ {
		if s.matches(name, i) {
			return i
		}
	}
	return -1
}

// matches tells whether a step is meant by "chroot.Pivot", by "pivot", or by its number.
func (s *stepper) matches(name string, i int) bool {
	if n, err := strconv.Atoi(name); err == nil {
		return n == i+1
	}
	full := s.plan.Items[i].Name()
	_, short, _ := strings.Cut(full, ".")
	return strings.EqualFold(name, full) || strings.EqualFold(name, short)
}
