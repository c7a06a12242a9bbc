package memory

import (
	"context"

	"github.com/moby/moby/api/types/container"

	daemon "cutaway/07-daemon"
)

type control struct{ *Engine }

// Restart implements daemon.Control.
func (e control) Restart(ctx context.Context, ref string, o daemon.StopOptions) error {
	c, _, err := e.lookup(ref)
	if err != nil {
		return err
	}
	err = lifecycle(e).Stop(ctx, c.id, o)
	if err != nil && daemon.KindOf(err) != daemon.NotModified {
		return err
	}
	return lifecycle(e).Start(ctx, c.id)
}

// Rename implements daemon.Control.
func (e control) Rename(_ context.Context, ref, name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(ref)
	if err != nil {
		return err
	}
	if other, err := e.find(name); err == nil && other.name == name {
		return daemon.Errorf(daemon.Conflict, "name %q is in use by container %s", name, other.id)
	}
	c.name = name
	return nil
}

// Pause implements daemon.Control. It is only remembered: nothing can stop a goroutine.
func (e control) Pause(_ context.Context, ref string) error {
	return e.pausing(ref, func(c *ctr) error {
		if c.paused {
			return daemon.Errorf(daemon.Conflict, "container %s is already paused", c.id)
		}
		c.paused = true
		return nil
	})
}

// Unpause implements daemon.Control.
func (e control) Unpause(_ context.Context, ref string) error {
	return e.pausing(ref, func(c *ctr) error {
		if !c.paused {
			return daemon.Errorf(daemon.Conflict, "container %s is not paused", c.id)
		}
		c.paused = false
		return nil
	})
}

func (e control) pausing(ref string, change func(*ctr) error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(ref)
	if err != nil {
		return err
	}
	if !c.proc.running() {
		return daemon.Errorf(daemon.Conflict, "container %s is not running", c.id)
	}
	return change(c)
}

// Update implements daemon.Control.
func (control) Update(context.Context, string, container.UpdateConfig) (container.UpdateResponse, error) {
	return container.UpdateResponse{}, daemon.Errorf(daemon.NotImplemented, "a goroutine has no limits to update")
}
