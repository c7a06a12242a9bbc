package memory

import (
	"context"
	"slices"

	"github.com/moby/moby/api/types/container"

	daemon "cutaway/07-daemon"
)

type streams struct{ *Engine }

// Attach implements daemon.Streams.
func (e streams) Attach(_ context.Context, ref string, o daemon.AttachOptions) (daemon.Stream, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(ref)
	if err != nil {
		return daemon.Stream{}, err
	}
	p := c.proc
	if o.Stream {
		p = c.upcoming()
	}
	at := p.written()
	if o.Logs {
		at = 0
	}
	return daemon.Stream{TTY: c.config.Tty, Conn: p.connect(at)}, nil
}

// Resize implements daemon.Streams.
func (e streams) Resize(_ context.Context, ref string, size daemon.Size) error {
	_, p, err := e.lookup(ref)
	if err != nil {
		return err
	}
	p.change(func() { p.size = size })
	return nil
}

// Wait implements daemon.Streams.
func (e streams) Wait(ctx context.Context, ref string, until container.WaitCondition) (<-chan container.WaitResponse, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(ref)
	if err != nil {
		return nil, err
	}
	p, holds := c.proc, c.proc.exited
	switch {
	case until == container.WaitConditionRemoved:
		holds = c.removed
	case until == container.WaitConditionNotRunning && !p.running():
		holds = make(chan struct{})
		close(holds)
	case until == container.WaitConditionNextExit:
		p = c.upcoming()
		holds = p.exited
	}
	done := make(chan container.WaitResponse, 1)
	go func() {
		select {
		case <-holds:
			done <- container.WaitResponse{StatusCode: int64(p.code)}
		case <-ctx.Done():
		}
	}()
	return done, nil
}

type execs struct{ *Engine }

// ExecCreate implements daemon.Execs.
func (e execs) ExecCreate(_ context.Context, ref string, req container.ExecCreateRequest) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(ref)
	if err != nil {
		return "", err
	}
	if !c.proc.running() {
		return "", daemon.Errorf(daemon.Conflict, "container %s is not running", c.id)
	}
	id := newID()
	p := newProcess(processSpec{args: slices.Clone(req.Cmd), tty: req.Tty, stdin: req.AttachStdin, stdinOnce: true})
	e.execs[id] = &exec{ctr: c, req: req, proc: p}
	return id, nil
}

func (e execs) exec(id string) (*exec, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if x, ok := e.execs[id]; ok {
		return x, nil
	}
	return nil, daemon.Errorf(daemon.NotFound, "No such exec instance: %s", id)
}

// ExecStart implements daemon.Execs.
func (e execs) ExecStart(_ context.Context, id string, o daemon.ExecStartOptions) (daemon.Stream, error) {
	x, err := e.exec(id)
	if err != nil {
		return daemon.Stream{}, err
	}
	if x.proc.running() || x.proc.ended() {
		return daemon.Stream{}, daemon.Errorf(daemon.Conflict, "exec command %s has already run", id)
	}
	if o.Size != nil {
		x.proc.change(func() { x.proc.size = *o.Size })
	}
	if err := x.proc.start(); err != nil {
		x.proc.finish(127)
		return daemon.Stream{}, err
	}
	if o.Detach {
		return daemon.Stream{}, nil
	}
	return daemon.Stream{TTY: x.req.Tty, DetachKeys: x.req.DetachKeys, Conn: x.proc.connect(0)}, nil
}

// ExecInspect implements daemon.Execs.
func (e execs) ExecInspect(_ context.Context, id string) (container.ExecInspectResponse, error) {
	x, err := e.exec(id)
	if err != nil {
		return container.ExecInspectResponse{}, err
	}
	seen := container.ExecInspectResponse{
		ID: id, ContainerID: x.ctr.id, Running: x.proc.running(),
		OpenStdin: x.req.AttachStdin, OpenStdout: x.req.AttachStdout, OpenStderr: x.req.AttachStderr,
		ProcessConfig: &container.ExecProcessConfig{Tty: x.req.Tty, Entrypoint: x.req.Cmd[0], Arguments: x.req.Cmd[1:]},
	}
	if x.proc.ended() {
		seen.ExitCode = &x.proc.code // does not change any more
	}
	return seen, nil
}

// ExecResize implements daemon.Execs.
func (e execs) ExecResize(_ context.Context, id string, size daemon.Size) error {
	x, err := e.exec(id)
	if err != nil {
		return err
	}
	x.proc.change(func() { x.proc.size = size })
	return nil
}
