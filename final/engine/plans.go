package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	daemon "cutaway/07-daemon"
	"cutaway/final/plan"
	"cutaway/final/runtime"

	"github.com/moby/moby/api/types/container"
)

// Plan is the steps of the container's last start, as JSON; of one that was
// never started, those that a start would take. It is read from the disk, so a
// start that stands still between two steps can be looked at.
func (e *Engine) Plan(_ context.Context, ref string) (json.RawMessage, error) {
	c, err := e.find(ref)
	if err != nil {
		return nil, err
	}
	if p := c.currentPlan(); p != nil {
		p.Flush()
	}
	data, err := c.kept()
	if missing(err) {
		return e.dryRun(ref)
	}
	return data, err
}

// kept is the plan on disk. fs.ErrNotExist if there is none.
func (c *Container) kept() (json.RawMessage, error) {
	p, err := plan.Load(c.bundle)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(p)
	return data, errors.Join(err, p.Close())
}

// dryRun makes a plan and performs nothing of it. The address in it is the one
// that a start at this moment would get.
func (e *Engine) dryRun(ref string) (json.RawMessage, error) {
	c, err := e.hold(ref)
	if err != nil {
		return nil, err
	}
	defer c.verb.Unlock()
	// It may have been started meanwhile. One that runs would lose its address here.
	if data, err := c.kept(); !missing(err) || c.running() {
		return data, err
	}
	p, err := e.compose(c, func(compiled *runtime.Compiled) plan.Step { return plan.Starting(compiled.Clone, nil) })
	c.mu.Lock()
	c.record.State.Address, c.record.State.Ports = zeroAddress, nil
	c.mu.Unlock()
	if err = errors.Join(err, e.net.Release(c.look().ID)); err != nil {
		return nil, err
	}
	return json.Marshal(p)
}

// ExecPlan is the steps of an exec's process, as JSON.
func (e *Engine) ExecPlan(_ context.Context, id string) (json.RawMessage, error) {
	x, err := e.findExec(id)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.plan == nil {
		return nil, daemon.Errorf(daemon.Conflict, "exec instance %s was not started: it has no steps yet", id)
	}
	return json.Marshal(x.plan)
}

// Stop is what the engine says at each stop of a stepped start: what comes
// next, and what became of everything before.
type Stop struct {
	Next  int        `json:"next"`            // index of the item that comes next
	Plan  *plan.Plan `json:"plan,omitempty"`  // at the first stop, all of it
	Items []Change   `json:"items,omitempty"` // what changed since the last stop
	PID   int        `json:"pid,omitempty"`   // of the child, once there is one
	Error string     `json:"error,omitempty"` // the start has failed, and all is undone
	Done  bool       `json:"done,omitempty"`  // the container runs

	Topic daemon.Topic `json:"topic,omitzero"` // of the error
}

// Change is an item that has changed, by its place in the plan.
type Change struct {
	Index int        `json:"index"`
	Item  *plan.Item `json:"item"`
}

// Go is the client's answer to a stop.
type Go struct {
	Quit bool `json:"quit,omitempty"` // undo everything
}

// errQuit ends a start that the client does not want to go on.
var errQuit = errors.New("undone, as asked")

// Step starts a container with a stop before each step.
func (e *Engine) Step(_ context.Context, ref string) (daemon.Stream, error) {
	c, err := e.find(ref)
	if err != nil {
		return daemon.Stream{}, err
	}
	if c.look().State.Status == container.StateRunning {
		return daemon.Stream{}, daemon.Errorf(daemon.Conflict, "container already running: %s", ref)
	}
	ours, theirs := net.Pipe()
	s := &stepper{c: c, conn: ours, answers: bufio.NewReader(ours)}
	go func() {
		defer ours.Close()
		err := e.start(ref, s.before)
		c.setStepper(nil)
		last := Stop{Next: -1, Items: s.changes(), Done: err == nil}
		if err != nil {
			last.Error, last.Topic = err.Error(), daemon.TopicOf(err)
		}
		_ = json.NewEncoder(ours).Encode(last) // a client that is gone has seen enough
	}()
	return daemon.Stream{TTY: true, Conn: pipe{theirs}}, nil
}

// stepper is one stepped start.
type stepper struct {
	c       *Container
	conn    net.Conn
	answers *bufio.Reader
	seen    []plan.State // of each item, at the last stop
}

// before tells the client what comes, and waits for its answer. A client that
// goes away has everything undone.
func (s *stepper) before(it *plan.Item) error {
	p := s.c.currentPlan()
	stop := Stop{PID: s.c.childPID()}
	if s.seen == nil {
		stop.Plan = p
		s.c.setStepper(s)
	}
	stop.Items = s.changes()
	for i := range p.Items {
		if p.Items[i] == it {
			stop.Next = i
		}
	}
	if err := json.NewEncoder(s.conn).Encode(stop); err != nil {
		return fmt.Errorf("%w: the client is gone: %w", errQuit, err)
	}
	line, err := s.answers.ReadBytes('\n')
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errEnded
	}
	if err != nil {
		return fmt.Errorf("%w: the client is gone: %w", errQuit, err)
	}
	var answer Go
	if err := json.Unmarshal(line, &answer); err != nil {
		return fmt.Errorf("read the client's answer: %w", err)
	}
	if answer.Quit {
		return errQuit
	}
	return nil
}

// errEnded is the end of a start that somebody else has ended.
var errEnded = stepped.About(daemon.Errorf(daemon.Conflict, "ended by a stop or rm -f from elsewhere before the container ran; everything is undone"))

// quit ends a stepped start, and returns when everything is undone. It reports
// whether there was one.
func (c *Container) quit() bool {
	c.mu.Lock()
	s := c.stepper
	c.mu.Unlock()
	if s == nil {
		return false
	}
	_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // a connection that is closed has no more answers either
	c.verb.Lock()
	defer c.verb.Unlock()
	return true
}

// stands is an error if a start stands between two steps: who waits for it may
// wait for hours.
func (c *Container) stands() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stepper == nil {
		return nil
	}
	return stepped.About(daemon.Errorf(daemon.Conflict, "container %s is being started step by step: finish that, or end it with stop or rm -f", c.record.Name))
}

func (c *Container) setStepper(s *stepper) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stepper = s
}

// changes lists the items that are not as they were at the last stop.
func (s *stepper) changes() []Change {
	p := s.c.currentPlan()
	if p == nil {
		return nil
	}
	var list []Change
	seen := make([]plan.State, len(p.Items))
	for i, it := range p.Items {
		seen[i] = it.State
		if s.seen != nil && s.seen[i] != it.State {
			list = append(list, Change{i, it})
		}
	}
	s.seen = seen
	return list
}

func (c *Container) currentPlan() *plan.Plan {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.plan
}

// childPID is the process that waits for its orders; 0 if there is none yet.
func (c *Container) childPID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.child
}

// pipe is a net.Conn whose input cannot end before its output.
type pipe struct{ net.Conn }

// CloseWrite ends the conversation.
func (p pipe) CloseWrite() error { return p.Close() }

var _ io.ReadWriteCloser = pipe{}
