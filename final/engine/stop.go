package engine

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	daemon "cutaway/07-daemon"
	"cutaway/final/shim"

	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"
)

// stopTimeout is how long a process has to end by itself if nobody says.
const stopTimeout = 10 * time.Second

// Stop signals the process and, after the timeout, kills it. A start that is
// being stepped through is undone.
func (e *Engine) Stop(_ context.Context, ref string, o daemon.StopOptions) error {
	c, err := e.find(ref)
	if err != nil {
		return err
	}
	if c.quit() {
		return nil
	}
	ended, running := c.end()
	if !running {
		return daemon.Errorf(daemon.NotModified, "container already stopped: %s", ref)
	}
	name := first(o.Signal, first(c.look().Config.StopSignal, "SIGTERM"))
	sig, err := parseSignal(name)
	if err != nil {
		return err
	}
	if err := e.signal(c, sig); err != nil {
		return err
	}
	// A client that goes away does not save the container.
	select {
	case <-ended:
		return nil
	case <-timeout(o.Timeout, c.look().Config.StopTimeout):
	}
	if err := e.signal(c, unix.SIGKILL); err != nil {
		return err
	}
	<-ended
	return nil
}

// end is closed when the process that runs has ended; false if none runs.
func (c *Container) end() (<-chan struct{}, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended, c.record.State.Status == container.StateRunning
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// timeout fires after the first of the given seconds; negative is never.
func timeout(seconds ...*int) <-chan time.Time {
	wait := stopTimeout
	for _, s := range seconds {
		if s != nil {
			wait = time.Duration(*s) * time.Second
			break
		}
	}
	if wait < 0 {
		return nil
	}
	return time.After(wait)
}

// signal sends a signal by way of the shim. A process that has just ended is no
// error: the end is what was wanted.
func (e *Engine) signal(c *Container, sig unix.Signal) error {
	c.verb.Lock()
	defer c.verb.Unlock()
	if c.shim == nil || !c.running() {
		return nil
	}
	if c.look().State.Paused { // a frozen process takes no signal
		if err := e.thaw(c); err != nil {
			return err
		}
	}
	if err := c.shim.Signal("", sig); !errors.Is(err, shim.ErrGone) {
		return err
	}
	return nil // without its shim the container is at its end: see watch
}

// Kill sends a signal.
func (e *Engine) Kill(_ context.Context, ref, name string) error {
	sig, err := parseSignal(first(name, "SIGKILL"))
	if err != nil {
		return err
	}
	c, err := e.find(ref)
	if err != nil {
		return err
	}
	ended, running := c.end()
	if !running {
		return notRunning.About(daemon.Errorf(daemon.Conflict, "cannot kill container: %s: container %s is not running", ref, c.look().ID))
	}
	if err := e.signal(c, sig); err != nil {
		return err
	}
	if sig == unix.SIGKILL {
		<-ended // as Docker: who was killed is gone when kill returns
	}
	return nil
}

// Restart is Stop, if it runs, and Start.
func (e *Engine) Restart(ctx context.Context, ref string, o daemon.StopOptions) error {
	c, err := e.find(ref)
	if err != nil {
		return err
	}
	if c.running() {
		id := c.look().ID
		e.needs.hold(id) // one of --rm survives this stop
		err = e.Stop(ctx, id, o)
		e.needs.release(id)
		if err != nil && daemon.KindOf(err) != daemon.NotModified {
			return err
		}
	}
	return e.Start(ctx, ref)
}

// parseSignal reads a number or a name, with or without SIG.
func parseSignal(s string) (unix.Signal, error) {
	if n, err := strconv.Atoi(s); err == nil && n > 0 && n <= 64 {
		return unix.Signal(n), nil
	}
	name := strings.ToUpper(s)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if sig := unix.SignalNum(name); sig != 0 {
		return sig, nil
	}
	if n, ok := realtime(name); ok {
		return n, nil
	}
	return 0, badSignal.About(daemon.Errorf(daemon.Invalid, "invalid signal: %s", s))
}

// realtime reads SIGRTMIN+n and SIGRTMAX-n, 34 to 64 (signal(7)).
func realtime(name string) (unix.Signal, bool) {
	for prefix, base := range map[string]int{"SIGRTMIN": 34, "SIGRTMAX": 64} {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		n, err := strconv.Atoi("0" + strings.TrimLeft(rest, "+-"))
		if strings.HasPrefix(rest, "-") {
			n = -n
		}
		if sig := base + n; err == nil && sig >= 34 && sig <= 64 {
			return unix.Signal(sig), true
		}
	}
	return 0, false
}
