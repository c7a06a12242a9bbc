package engine

import (
	"cutaway/final/shim"
)

// ensureShim connects to the container's shim and gives it one if need be: the
// first who attaches comes before the start.
func (e *Engine) ensureShim(c *Container) (*shim.Shim, error) {
	if c.shim != nil {
		return c.shim, nil
	}
	place := shim.Place{Dir: c.dir, Socket: e.socket(c.look().ID)}
	s, err := e.takeSpare(place)
	if err != nil {
		return nil, err
	}
	c.shim = s
	return s, nil
}

// takeSpare makes the spare shim that of a container. It may have been killed, or
// never have been there; then a new one is started.
func (e *Engine) takeSpare(p shim.Place) (*shim.Shim, error) {
	e.mu.Lock()
	spare := e.spare
	e.spare = nil
	e.mu.Unlock()
	if spare != nil {
		if s, err := spare.Serve(p); err == nil {
			return s, nil
		}
	}
	spare, err := shim.Start(e.exePath())
	if err != nil {
		return nil, err
	}
	return spare.Serve(p)
}

// keepSpare has a shim ready for the next start. If it cannot be started, the
// next start will say why.
func (e *Engine) keepSpare() {
	e.sparing.Lock()
	defer e.sparing.Unlock()
	e.mu.Lock()
	needed := e.spare == nil && !e.closed.Load()
	e.mu.Unlock()
	if !needed {
		return
	}
	spare, err := shim.Start(e.exePath())
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.spare = spare // nobody else keeps one meanwhile: see sparing
}

// dropSpare ends the spare shim; Close has been called. A process that is about to
// start has all of our descriptors until execve, so that we wait for it.
func (e *Engine) dropSpare() error {
	e.sparing.Lock()
	defer e.sparing.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.spare == nil {
		return nil
	}
	err := e.spare.Close()
	e.spare = nil
	return err
}
