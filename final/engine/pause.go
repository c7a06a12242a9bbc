package engine

import (
	"context"

	daemon "cutaway/07-daemon"

	"github.com/moby/moby/api/types/container"
)

// Pause freezes a container's processes where they are.
func (e *Engine) Pause(_ context.Context, ref string) error {
	c, err := e.hold(ref)
	if err != nil {
		return err
	}
	defer c.verb.Unlock()
	if _, err := c.mustRun(); err != nil {
		return err
	}
	if c.look().State.Paused {
		return daemon.Errorf(daemon.Conflict, "container %s is already paused", ref)
	}
	if err := e.group(c.look().ID).Freeze(); err != nil {
		return err
	}
	return c.change(func(r *Record) { r.State.Paused = true })
}

// Unpause lets them go on.
func (e *Engine) Unpause(_ context.Context, ref string) error {
	c, err := e.hold(ref)
	if err != nil {
		return err
	}
	defer c.verb.Unlock()
	if !c.look().State.Paused {
		return daemon.Errorf(daemon.Conflict, "container %s is not paused", ref)
	}
	return e.thaw(c)
}

// thaw lets a paused container go on; the caller holds its verb lock.
func (e *Engine) thaw(c *Container) error {
	if err := e.group(c.look().ID).Thaw(); err != nil {
		return err
	}
	return c.change(func(r *Record) { r.State.Paused = false })
}

// Update changes limits.
func (e *Engine) Update(_ context.Context, ref string, _ container.UpdateConfig) (container.UpdateResponse, error) {
	return container.UpdateResponse{}, daemon.Errorf(daemon.NotImplemented, "update %s: cutaway does not have this yet", ref)
}
