package engine

import (
	namespaces "cutaway/02-namespaces"
	"cutaway/final/shim"
)

// ensureShim connects to the container's shim and gives it one if need be: the
// first who attaches comes before the start.
func (e *Engine) ensureShim(c *Container) (*shim.Shim, error) {
	if c.shim != nil {
		return c.shim, nil
	}
	place := shim.Place{Dir: c.bundle, Log: shim.LogIn(c.dir), Socket: e.socket(c.look().ID)}
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
	e.sparing.Lock() // one that is about to be there is sooner there than another
	e.mu.Lock()
	spare, likely := e.spare, e.likely
	e.spare = nil
	e.mu.Unlock()
	e.sparing.Unlock()
	if spare != nil {
		if s, err := spare.Serve(p); err == nil {
			return s, nil
		}
	}
	spare, err := shim.Start(e.exePath(), likely)
	if err != nil {
		return nil, err
	}
	return spare.Serve(p)
}

// usual is what most containers begin as: without a terminal and without standard
// input, in all the namespaces in which a process can be born here.
var usual = shim.Spawn{
	Clone: namespaces.Clone{New: []namespaces.Kind{namespaces.UTS, namespaces.IPC, namespaces.PID}}, Log: true,
}

// keepSpare has a shim ready for the next start, which is likely to be of the last
// one's kind. If it cannot be started, the next start will say why.
func (e *Engine) keepSpare() {
	e.sparing.Lock()
	defer e.sparing.Unlock()
	e.mu.Lock()
	needed, likely := e.spare == nil && !e.closed.Load(), e.likely
	e.mu.Unlock()
	if !needed {
		return
	}
	spare, err := shim.Start(e.exePath(), likely)
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
