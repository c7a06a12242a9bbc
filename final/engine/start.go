package engine

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	namespaces "cutaway/02-namespaces"
	daemon "cutaway/07-daemon"
	"cutaway/final/plan"
	"cutaway/final/runtime"
	"cutaway/final/shim"

	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"
)

// Start performs the container's plan.
func (e *Engine) Start(_ context.Context, ref string) error { return e.start(ref, nil) }

// start performs the plan and, if before is not nil, calls it before each step.
func (e *Engine) start(ref string, before func(*plan.Item) error) error {
	c, err := e.hold(ref)
	if err != nil {
		return err
	}
	defer c.verb.Unlock()
	if c.running() {
		return daemon.Errorf(daemon.NotModified, "container already running: %s", ref)
	}
	running, err := e.launch(c, before)
	if err != nil {
		go e.keepSpare()
		return e.failed(c, err)
	}
	c.mu.Lock()
	c.ended = make(chan struct{})
	c.mu.Unlock()
	err = c.change(func(r *Record) {
		s := &r.State
		s.Status, s.PID, s.Started = container.StateRunning, running.PID, time.Now().UTC()
		s.Finished, s.ExitCode, s.Error, s.OOMKilled = time.Time{}, 0, "", false
	})
	if err != nil { // who is told that a start failed looks for no process
		err = errors.Join(err, c.shim.Signal("", unix.SIGKILL))
	}
	go e.watch(c, running)
	return err
}

// launch makes the plan, keeps it on disk, and performs it. When it fails,
// nothing is left but the container as it was.
func (e *Engine) launch(c *Container, before func(*plan.Item) error) (*shim.Running, error) {
	// A new process starts with a new shim, unless somebody attached already.
	s, err := e.ensureShim(c)
	if err != nil {
		return nil, err
	}
	if before != nil { // to be seen being born
		if err := s.Anew(); err != nil {
			return nil, err
		}
	}
	b := &birth{e: e, c: c, shim: s, early: c.early, child: plan.Child{Before: before}}
	defer b.close()
	c.early = nil
	c.mu.Lock()
	c.child = 0
	c.mu.Unlock()
	give := sync.OnceValue(b.give)
	b.plan, err = e.compose(c, func(compiled *runtime.Compiled) plan.Step {
		b.clone = compiled.Clone
		return plan.Starting(compiled.Clone, give)
	})
	if err != nil {
		return nil, err
	}
	if before == nil {
		// The child comes up while the plan is written down. It does nothing before it
		// is told to, and does not outlive the one who would tell it.
		go func() { _ = give() }() // its error is the step's
	}
	if err := b.plan.Keep(c.bundle); err != nil {
		err = errors.Join(err, give())
		b.abort()
		return nil, err
	}
	c.mu.Lock()
	c.plan = b.plan
	c.mu.Unlock()
	runner := plan.Runner{Before: before, Child: b.command, Abort: b.abort}
	if err := runner.Run(b.plan); err != nil {
		return nil, errors.Join(err, b.plan.Close())
	}
	return b.running, nil
}

// birth is how a container's first process comes to be.
type birth struct {
	e       *Engine
	c       *Container
	shim    *shim.Shim
	early   []*shim.Attached
	clone   namespaces.Clone
	child   plan.Child
	plan    *plan.Plan
	running *shim.Running // nil until then
}

// give has the shim start the child, and tells the child what will be to be done.
func (b *birth) give() (err error) {
	for _, a := range b.early { // nothing that the process writes may be missed
		_ = a.Ready() // an error is a client that has gone again
	}
	what := shim.Spawn{Clone: b.clone, Stdio: stdioOf(b.c.look().Config), Log: true}
	b.e.mu.Lock()
	b.e.likely = what
	b.e.mu.Unlock()
	if b.running, err = b.shim.Spawn("", what); err != nil {
		return err
	}
	b.c.mu.Lock()
	b.c.child = b.running.PID
	b.c.mu.Unlock()
	b.child.Conn = b.running.Orders
	return b.child.Brief(b.plan)
}

// command has the child do its part; the program begins when all is connected.
func (b *birth) command(p *plan.Plan, connected func() error) error {
	b.child.Connected = connected
	return b.child.Command(p)
}

// close ends the conversation with the child, if there is one: who still waits
// for orders then gives up.
func (b *birth) close() {
	if b.running != nil {
		_ = b.running.Orders.Close()
	}
}

// abort ends the child, if there is one.
func (b *birth) abort() {
	b.close()
	if b.running != nil {
		_ = b.shim.Signal("", unix.SIGKILL)
		_, _ = b.running.Wait()
	}
}

// failed ends a start that did not succeed, in the words that Docker's client
// makes exit codes of.
func (e *Engine) failed(c *Container, cause error) error {
	r := c.look()
	if mode := r.Host.NetworkMode; mode.IsContainer() {
		if _, err := e.sharedNetns(mode.ConnectedContainer()); err != nil { // it ended meanwhile, and so nothing of it was found
			cause = err
		}
	}
	errs := []error{e.net.Release(r.ID), c.letGo(), c.change(func(r *Record) {
		r.State.Error, r.State.ExitCode = cause.Error(), exitCodeOf(cause)
		r.State.Address, r.State.Ports = zeroAddress, nil
		if r.State.Status != container.StateCreated {
			r.State.Status = container.StateExited
		}
	})}
	if r.Host.AutoRemove {
		errs = append(errs, e.remove(c, daemon.RemoveOptions{Volumes: true}))
	}
	c.tell(exitCodeOf(cause), waiter.forEnd)
	if daemon.KindOf(cause) != daemon.Internal {
		return errors.Join(append([]error{cause}, errs...)...)
	}
	kind := daemon.Internal
	if isUsers(cause) {
		kind = daemon.Invalid
	}
	return daemon.Errorf(kind, "failed to create task for container: %w", errors.Join(append([]error{cause}, errs...)...))
}

// isUsers tells whether a start failed for what the user asked for: a program
// that is not there, a user that does not exist, a file where a directory is.
func isUsers(err error) bool {
	var f *plan.Failure
	if !errors.As(err, &f) {
		return false
	}
	switch f.Step {
	case "plan.Exec", "plan.Workdir", "security.User", "security.Rlimit", "rootfs.Mount", "namespaces.Sysctl", "cgroups.Set":
		return true
	}
	return false
}

// exitCodeOf is what a shell would have returned for a program that could not
// be started: 127 if it was not found, 126 if it could not be executed.
func exitCodeOf(err error) int {
	var f *plan.Failure
	if !errors.As(err, &f) || !strings.HasPrefix(f.Step, "plan.Exec") {
		return 128
	}
	if errors.Is(err, unix.ENOENT) {
		return 127
	}
	return 126
}

// stdioOf is what a container's process has for standard streams.
func stdioOf(c container.Config) shim.Stdio {
	return shim.Stdio{TTY: c.Tty, Stdin: c.OpenStdin, StdinOnce: c.StdinOnce}
}
