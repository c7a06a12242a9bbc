package plan

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A Step is one thing done to the kernel on the way to a running container.
type Step interface {
	// Do does it and verifies it: one system call, or one short group that
	// only makes sense together.
	Do() error
	// String is what a person would type into a shell to do the same.
	String() string
}

// An Undoer is a step that leaves something behind and can take it back.
// Undoing what was never done, or what is gone already, is no error.
type Undoer interface{ Undo() error }

// A Lane is a row of steps that are done one after the other.
type Lane string

// The lanes of the host run side by side. Cable follows Wire, and Inside all of the
// others: only the program, with which Inside ends, needs the cable.
const (
	Base    Lane = "base"    // made once by the engine, for all containers; only listed here
	Root    Lane = "root"    // the container's files: layers, volumes, /etc/hosts
	Limits  Lane = "limits"  // its cgroup
	Wire    Lane = "wire"    // its network, as far as one can join it
	Cable   Lane = "cable"   // what connects that to others
	Process Lane = "process" // its first process, cloned into new namespaces
	Inside  Lane = "inside"  // what that process does before it becomes the program
)

// A State is what became of an item.
type State string

// An item goes from Waiting over Begun to Done or Failed, and from any of them
// to Undone.
const (
	Waiting State = ""
	Begun   State = "begun"
	Done    State = "done"
	Failed  State = "failed"
	Undone  State = "undone"
)

// An Item is a step in its place in the list.
type Item struct {
	Lane    Lane
	Step    Step
	State   State
	Took    time.Duration // wall time of Do
	Failure *Failure      // why it failed
}

// Name is the step's type as the chapters call it, such as "chroot.Pivot".
func (it *Item) Name() string { return nameOf(it.Step) }

// A Plan is everything that makes one container, in the order in which a person
// would do it by hand.
type Plan struct {
	Container string // its ID
	Items     []*Item

	mu      sync.Mutex // guards the items' results, and journal
	journal *Journal
}

// New is an empty plan for the container with this ID.
func New(id string) *Plan { return &Plan{Container: id} }

// Add puts steps at the end of a lane.
func (p *Plan) Add(lane Lane, steps ...Step) {
	for _, s := range steps {
		p.Items = append(p.Items, &Item{Lane: lane, Step: s})
	}
}

// List puts steps into the list that the engine has done before, for all of its
// containers: neither Run nor Undo touches them.
func (p *Plan) List(steps ...Step) {
	for _, s := range steps {
		p.Items = append(p.Items, &Item{Lane: Base, Step: s, State: Done})
	}
}

// Of is the items of one lane, in order.
func (p *Plan) Of(lane Lane) []*Item {
	var items []*Item
	for _, it := range p.Items {
		if it.Lane == lane {
			items = append(items, it)
		}
	}
	return items
}

// Find is the first step of type T in the plan, and whether there is one.
func Find[T Step](p *Plan) (T, bool) {
	for _, it := range p.Items {
		if s, ok := it.Step.(T); ok {
			return s, true
		}
	}
	var none T
	return none, false
}

// Undo takes back, in each lane last first, every item that was begun. It goes
// on after an error and returns all of them.
func (p *Plan) Undo() error {
	return sideBySide([]Lane{Wire, Limits, Root, Process, Inside}, func(lane Lane) error {
		if lane == Wire {
			return errors.Join(p.undoLane(Cable), p.undoLane(Wire))
		}
		return p.undoLane(lane)
	})
}

func (p *Plan) undoLane(lane Lane) error {
	var errs []error
	for _, it := range slices.Backward(p.Items) {
		if it.Lane != lane || it.State == Waiting || it.State == Undone {
			continue
		}
		if u, ok := it.Step.(Undoer); ok {
			if err := u.Undo(); err != nil {
				errs = append(errs, fmt.Errorf("undo %s: %w", it.Name(), err))
				continue
			}
		}
		_ = p.note(it, func() { it.State = Undone }) // else it is undone once more
	}
	return errors.Join(errs...)
}

// note changes an item and tells the journal.
func (p *Plan) note(it *Item, change func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	if p.journal == nil {
		return nil
	}
	return p.journal.note(p, it)
}
