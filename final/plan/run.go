package plan

import (
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// A Runner performs a plan.
type Runner struct {
	// Child performs the steps inside, the last of them when connected has
	// returned. It is called when every other lane of the host has ended well.
	Child func(p *Plan, connected func() error) error
	// Before is called before each item, if set; the lanes then run one after
	// the other. An error ends the run.
	Before func(*Item) error
	// Abort ends the child, if there is one, before what it uses is undone.
	Abort func()
}

// Run does all items. After an error everything that was begun is undone, and
// the error is that of the first step that failed, with those of the undoing
// joined.
func (r *Runner) Run(p *Plan) error {
	var cable errgroup.Group
	err := r.host(p, &cable)
	if err == nil {
		err = r.Child(p, cable.Wait)
	}
	if err != nil {
		r.Abort()
		if late := cable.Wait(); !errors.Is(err, late) {
			err = errors.Join(err, late)
		}
		return errors.Join(err, p.Undo())
	}
	return nil
}

// host runs the lanes of the host side by side, and waits for all of them but the
// cable.
func (r *Runner) host(p *Plan, cable *errgroup.Group) error {
	if r.Before != nil {
		return r.inTurn(p)
	}
	return sideBySide([]Lane{Limits, Wire, Root, Process}, func(lane Lane) error { // the longest first
		err := p.doLane(lane)
		if lane == Wire && err == nil {
			cable.Go(func() error { return p.doLane(Cable) })
		}
		return err
	})
}

// sideBySide does something with several lanes at once, the first of them in the
// calling goroutine, waits for all of them, and returns all errors.
func sideBySide(lanes []Lane, do func(Lane) error) error {
	errs := make([]error, len(lanes))
	var wg sync.WaitGroup
	for i, lane := range lanes[1:] {
		wg.Go(func() { errs[i+1] = do(lane) })
	}
	errs[0] = do(lanes[0])
	wg.Wait()
	return errors.Join(errs...)
}

// inTurn runs the items of the host in the order of the list.
func (r *Runner) inTurn(p *Plan) error {
	for _, it := range p.Items {
		if it.Lane == Inside || it.Lane == Base {
			continue
		}
		if err := r.Before(it); err != nil {
			return err
		}
		if err := p.do(it); err != nil {
			return err
		}
	}
	return nil
}

// doLane does the items of one lane, one after the other.
func (p *Plan) doLane(lane Lane) error {
	for _, it := range p.Of(lane) {
		if err := p.do(it); err != nil {
			return err
		}
	}
	return nil
}

// do performs one item of the host, with its time, and tells the journal before
// and after.
func (p *Plan) do(it *Item) error {
	if err := p.note(it, func() { it.State = Begun }); err != nil { // nobody would know that it is to be undone
		p.finish(it, 0, err)
		return it.Failure
	}
	start := time.Now()
	err := attempt(it.Step)
	p.finish(it, time.Since(start), err)
	if err != nil {
		return it.Failure
	}
	return nil
}

// finish records how an item ended.
func (p *Plan) finish(it *Item, took time.Duration, err error) {
	_ = p.note(it, func() { // that it was begun is enough for the one who undoes it
		it.State, it.Took = Done, took
		if err != nil {
			it.State, it.Failure = Failed, fail(it.Step, err)
		}
	})
}

// attempt calls Do, and survives it.
func attempt(s Step) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
	}()
	return s.Do()
}
