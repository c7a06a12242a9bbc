package engine

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	namespaces "cutaway/02-namespaces"
	daemon "cutaway/07-daemon"
	"cutaway/final/plan"
	"cutaway/final/runtime"
	"cutaway/final/shim"
	"cutaway/final/spec"

	"github.com/moby/moby/api/types/container"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Exec is one more process in a container.
type Exec struct {
	id        string
	container *Container
	request   container.ExecCreateRequest
	process   *specs.Process
	before    func(*plan.Item) error // called before each step, if set
	ended     chan struct{}          // closed when code is set

	mu      sync.Mutex // guards what follows
	plan    *plan.Plan
	started bool
	running bool
	pid     int
	code    *int
}

// ExecCreate prepares a process.
func (e *Engine) ExecCreate(_ context.Context, ref string, req container.ExecCreateRequest) (string, error) {
	c, err := e.hold(ref)
	if err != nil {
		return "", err
	}
	defer c.verb.Unlock()
	if _, err := c.mayExec(); err != nil {
		return "", err
	}
	if len(req.Cmd) == 0 {
		return "", daemon.Errorf(daemon.Invalid, "No exec command specified")
	}
	if req.Privileged {
		return "", daemon.Errorf(daemon.Invalid, "--privileged: cutaway does not have this yet; leave it out")
	}
	process, err := execProcess(c.look(), req)
	if err != nil {
		return "", err
	}
	x := &Exec{id: newID(), container: c, request: req, process: process, ended: make(chan struct{})}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.execs[x.id] = x
	return x.id, nil
}

// mayExec is the shim of a container that can have one more process; the caller holds
// the verb lock. In a frozen cgroup that process would stand still, and whoever starts it wait.
func (c *Container) mayExec() (*shim.Shim, error) {
	s, err := c.mustRun()
	if err == nil && c.look().State.Paused {
		err = daemon.Errorf(daemon.Conflict, "Container %s is paused, unpause the container before exec", c.look().Name)
	}
	return s, err
}

// execProcess is the container's own process with what exec changes.
func execProcess(r Record, req container.ExecCreateRequest) (*specs.Process, error) {
	config := r.Config
	config.Tty, config.Entrypoint, config.Cmd = req.Tty, nil, req.Cmd
	config.Env = append(slices.Clone(config.Env), req.Env...)
	config.User = first(req.User, config.User)
	config.WorkingDir = first(req.WorkingDir, config.WorkingDir)
	host := r.Host
	host.ConsoleSize = [2]uint{}
	if req.ConsoleSize != nil {
		host.ConsoleSize = *req.ConsoleSize
	}
	process, err := spec.Process(config, host)
	if err != nil {
		return nil, daemon.Errorf(daemon.Invalid, "%w", err)
	}
	return process, nil
}

func (e *Engine) findExec(id string) (*Exec, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	x, ok := e.execs[id]
	if !ok {
		return nil, daemon.Errorf(daemon.NotFound, "No such exec instance: %s", id)
	}
	return x, nil
}

// ExecStart starts the process, with the client attached first.
func (e *Engine) ExecStart(_ context.Context, id string, o daemon.ExecStartOptions) (daemon.Stream, error) {
	out := daemon.Stream{}
	x, err := e.findExec(id)
	if err != nil {
		return out, err
	}
	out.TTY, out.DetachKeys = x.request.Tty, x.request.DetachKeys
	x.container.verb.Lock()
	defer x.container.verb.Unlock()
	s, err := x.container.mayExec()
	if err != nil {
		return out, err
	}
	if err := x.begin(); err != nil {
		return out, err
	}
	if o.Size != nil {
		x.process.ConsoleSize = &specs.Box{Height: o.Size.Height, Width: o.Size.Width}
	}
	stdio := shim.Stdio{TTY: x.request.Tty, Stdin: x.request.AttachStdin && !o.Detach, StdinOnce: true}
	if !o.Detach {
		attach := shim.Attach{Stdin: x.request.AttachStdin, Stdout: x.request.AttachStdout, Stderr: x.request.AttachStderr}
		live, err := s.Attach(id, attach, stdio)
		if err != nil {
			return out, err
		}
		if err := live.Ready(); err != nil {
			return out, err
		}
		out.Conn = conn{Reader: untilEnded{live, x.ended}, live: live}
	}
	running, err := e.launchExec(x, s, stdio)
	if err != nil {
		e.ended(x, exitCodeOf(err))
		if out.Conn != nil {
			err = errors.Join(err, out.Conn.Close())
		}
		if _, gone := os.Readlink(runtime.NamespaceOf(x.container.look().State.PID, namespaces.Net)); missing(gone) {
			return daemon.Stream{}, x.container.stopped() // it ended meanwhile, and took this process along
		}
		return daemon.Stream{}, daemon.Errorf(daemon.Invalid, "exec failed: unable to start container process: %w", err)
	}
	x.mu.Lock()
	x.running = true
	x.mu.Unlock()
	go func() {
		exit, err := running.Wait()
		if err != nil {
			exit.Code = 137 // it went with its container
		}
		e.ended(x, exit.Code)
	}()
	return out, nil
}

// begin marks an exec as started: it can be only once.
func (x *Exec) begin() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.started {
		return daemon.Errorf(daemon.Conflict, "exec instance %s was started already", x.id)
	}
	x.started = true
	return nil
}

// execMemory is how long the exit code of an exec can be asked for, be its container gone or not; Docker's execCommandGC.
const execMemory = 5 * time.Minute

// ended records the end of an exec.
func (e *Engine) ended(x *Exec, code int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.running, x.code = false, &code
	close(x.ended)
	time.AfterFunc(execMemory, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.execs, x.id)
	})
}

// untilEnded is the output of a process that ends with the process: the client
// asks for the exit code as soon as it has read everything, and only once.
type untilEnded struct {
	io.Reader
	ended <-chan struct{}
}

// Read reads output.
func (u untilEnded) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	if err != nil && !errors.Is(err, net.ErrClosed) { // that is the client's going
		<-u.ended
	}
	return n, err
}

// launchExec has the process born in the container's PID namespace, and lets it
// join the rest.
func (e *Engine) launchExec(x *Exec, s *shim.Shim, stdio shim.Stdio) (*shim.Running, error) {
	r := x.container.look()
	group := e.groups.Join(e.groupName(r.ID))
	if err := runtime.Room(group); err != nil {
		return nil, err
	}
	birth := namespaces.Join{Kind: namespaces.PID, Path: runtime.NamespaceOf(r.State.PID, namespaces.PID)}
	begun := time.Now()
	running, err := s.Spawn(x.id, shim.Spawn{PIDNamespace: birth.Path, Stdio: stdio})
	if err != nil {
		return nil, err
	}
	defer running.Orders.Close()
	p := plan.New(r.ID)
	// The shim has done it, as it does Clone: it is the parent.
	p.Items = append(p.Items, &plan.Item{Lane: plan.Process, Step: birth, State: plan.Done, Took: time.Since(begun)})
	x.mu.Lock()
	x.plan, x.pid = p, running.PID
	x.mu.Unlock()
	p.Add(plan.Inside, runtime.CompileExec(runtime.Exec{Process: x.process, PID: r.State.PID, Cgroup: group})...)
	child := plan.Child{Conn: running.Orders, Before: x.before}
	if err = child.Brief(p); err == nil {
		err = child.Command(p)
	}
	if err != nil {
		_ = running.Orders.Close()
		_, _ = running.Wait()
		return nil, err
	}
	return running, nil
}

// ExecInspect tells how the process is.
func (e *Engine) ExecInspect(_ context.Context, id string) (container.ExecInspectResponse, error) {
	x, err := e.findExec(id)
	if err != nil {
		return container.ExecInspectResponse{}, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return container.ExecInspectResponse{
		ID: id, Running: x.running, ExitCode: x.code, Pid: x.pid, ContainerID: x.container.look().ID,
		OpenStdin: x.request.AttachStdin, OpenStdout: x.request.AttachStdout, OpenStderr: x.request.AttachStderr,
		DetachKeys: []byte(x.request.DetachKeys),
		ProcessConfig: &container.ExecProcessConfig{
			Tty: x.request.Tty, Entrypoint: x.request.Cmd[0], Arguments: x.request.Cmd[1:], User: x.request.User, Privileged: new(false),
		},
	}, nil
}

// ExecResize sets the size of the process's terminal.
func (e *Engine) ExecResize(_ context.Context, id string, size daemon.Size) error {
	x, err := e.findExec(id)
	if err != nil {
		return err
	}
	x.container.verb.Lock()
	defer x.container.verb.Unlock()
	s, err := x.container.mustRun()
	if err != nil {
		return err
	}
	return s.Resize(id, sizeOf(size))
}

// execsOf lists the execs of a container that run; nil if there is none.
func (e *Engine) execsOf(id string) (ids []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, x := range e.execs {
		x.mu.Lock()
		if x.container.look().ID == id && x.running {
			ids = append(ids, x.id)
		}
		x.mu.Unlock()
	}
	slices.Sort(ids)
	return ids
}
