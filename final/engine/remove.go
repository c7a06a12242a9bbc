package engine

import (
	"context"

	daemon "cutaway/07-daemon"

	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"
)

// Remove deletes a container.
func (e *Engine) Remove(_ context.Context, ref string, o daemon.RemoveOptions) error {
	c, err := e.find(ref)
	if err != nil {
		return err
	}
	if err := c.stands(); err != nil && !o.Force {
		return err
	}
	for {
		if err := e.endFor(c, o); err != nil {
			return err
		}
		c.verb.Lock()
		if !c.running() {
			break
		}
		c.verb.Unlock() // a start was under way
	}
	defer c.verb.Unlock()
	if c.removed { // --rm was faster
		return nil
	}
	return e.remove(c, o)
}

// endFor ends what runs of a container that is to be removed, if that is wanted.
func (e *Engine) endFor(c *Container, o daemon.RemoveOptions) error {
	c.quit()
	ended, running := c.end()
	switch {
	case !running:
		return nil
	case !o.Force:
		return stillRunning.About(daemon.Errorf(daemon.Conflict, "cannot remove container %q: container is running: stop the container before removing or force remove", c.look().Name))
	}
	if err := e.signal(c, unix.SIGKILL); err != nil {
		return err
	}
	<-ended
	return nil
}

// remove deletes a container that does not run; the caller holds its verb lock.
func (e *Engine) remove(c *Container, o daemon.RemoveOptions) error {
	if err := e.undo(c); err != nil { // what an undoing left the last time
		return err
	}
	_ = c.letGo()
	r := c.look()
	if !o.Volumes {
		r.Nameless = nil
	}
	if err := e.discard(c, r.Nameless); err != nil {
		return err
	}
	c.mu.Lock()
	c.removed = true
	c.mu.Unlock()
	e.mu.Lock()
	delete(e.containers, r.ID)
	e.mu.Unlock()
	e.release(r.Name, r.ID)
	c.tell(r.State.ExitCode, waiter.forAny)
	return nil
}

// Wait waits for the end of a container's process, or for its removal.
func (e *Engine) Wait(_ context.Context, ref string, until container.WaitCondition) (<-chan container.WaitResponse, error) {
	c, err := e.find(ref)
	if err != nil {
		return nil, err
	}
	tell := make(chan container.WaitResponse, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.removed { // those who waited have been told
		return nil, absent(ref)
	}
	if s := c.record.State; until != container.WaitConditionNextExit && until != container.WaitConditionRemoved && s.Status != container.StateRunning {
		tell <- container.WaitResponse{StatusCode: int64(s.ExitCode)}
		return tell, nil
	}
	c.waiters = append(c.waiters, waiter{removed: until == container.WaitConditionRemoved, tell: tell})
	return tell, nil
}

// Rename gives a container another name.
func (e *Engine) Rename(_ context.Context, ref, name string) error {
	c, err := e.hold(ref)
	if err != nil {
		return err
	}
	defer c.verb.Unlock()
	r := c.look()
	if name == "" {
		return daemon.Errorf(daemon.Invalid, "Neither old nor new names may be empty")
	}
	if name == r.Name {
		return daemon.Errorf(daemon.Invalid, "Renaming a container with the same name as its current name")
	}
	name, err = e.claim(name, r.ID)
	if err != nil {
		return err
	}
	if err := c.change(func(r *Record) { r.Name = name }); err != nil {
		e.release(name, r.ID)
		return err
	}
	e.release(r.Name, r.ID)
	return nil
}
