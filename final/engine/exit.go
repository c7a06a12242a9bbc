package engine

import (
	"errors"
	"net/netip"
	"time"

	daemon "cutaway/07-daemon"
	"cutaway/final/plan"
	"cutaway/final/shim"

	"github.com/moby/moby/api/types/container"
)

// zeroAddress is the address of a container that is not on the network.
var zeroAddress netip.Addr

// respite is how long a container that has started has the machine to itself
// before the next spare shim is made.
const respite = 100 * time.Millisecond

// watch waits for the end of the container's process.
func (e *Engine) watch(c *Container, running *shim.Running) {
	spare := time.AfterFunc(respite, e.keepSpare)
	exit, err := running.Wait()
	if spare.Stop() {
		defer func() { go e.keepSpare() }()
	}
	if e.closed.Load() {
		return // the next engine goes on from here
	}
	if errors.Is(err, shim.ErrGone) {
		if exit, err = shim.ReadExit(c.bundle); err != nil {
			// Somebody killed the shim. The process lost its parent and its
			// streams: it must not go on unseen.
			exit = shim.Exit{Code: 137, At: time.Now().UTC()}
		}
	}
	c.verb.Lock()
	defer c.verb.Unlock()
	e.finish(c, exit)
}

// finish undoes the plan of a container whose process has ended, says so to
// those who wait, and removes it if it was made to be.
func (e *Engine) finish(c *Container, exit shim.Exit) {
	r := c.look()
	goes := r.Host.AutoRemove && !e.needs.holds(r.ID) // asked before the build is told, which may be done with it then
	kills, _ := e.group(r.ID).OOMKills()              // a group that is gone has no more to tell
	err := errors.Join(e.undo(c), e.net.Release(r.ID), c.letGo())
	c.mu.Lock()
	s := &c.record.State
	s.Status, s.PID, s.Paused, s.Finished, s.ExitCode = container.StateExited, 0, false, exit.At, exit.Code
	s.OOMKilled = kills > 0
	s.Address, s.Ports = zeroAddress, nil
	if err != nil {
		s.Error = err.Error()
	}
	if !goes {
		// If the record cannot be written (a full disk), the next engine finds
		// exit.json and comes to the same end.
		_ = c.save()
	}
	if c.ended != nil {
		close(c.ended)
		c.ended = nil
	}
	c.mu.Unlock()
	c.tell(exit.Code, waiter.forEnd)
	if goes {
		_ = e.remove(c, daemon.RemoveOptions{Volumes: true})
	}
}

// undo takes the plan back, be it of this engine or of one before.
func (e *Engine) undo(c *Container) error {
	c.mu.Lock()
	p := c.plan
	c.mu.Unlock()
	if p == nil {
		var err error
		if p, err = plan.Load(c.bundle); missing(err) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return errors.Join(p.Undo(), p.Close())
}

// letGo ends the connection to the shim, which then ends too. The caller holds
// the verb lock.
func (c *Container) letGo() error {
	if c.shim == nil {
		return nil
	}
	s := c.shim
	c.shim = nil
	return s.Close()
}

// tell answers those of the waiting whom it concerns.
func (c *Container) tell(code int, whom func(waiter) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var still []waiter
	for _, w := range c.waiters {
		if whom(w) {
			w.tell <- container.WaitResponse{StatusCode: int64(code)}
		} else {
			still = append(still, w)
		}
	}
	c.waiters = still
}

// forEnd and forAny say whom an end concerns, and whom a removal does.
func (w waiter) forEnd() bool { return !w.removed }
func (waiter) forAny() bool   { return true }
