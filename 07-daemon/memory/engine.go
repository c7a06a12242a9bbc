// Package memory is an engine without a kernel. Its containers are goroutines,
// its programs are Go functions, and everything is gone when the process ends.
// No namespace, no cgroup, no root: what is left is what the API asks for.
//
// The demonstration cmd/api and the tests of package daemon serve it. It is also
// the shortest answer to "what must an engine be able to do?".
package memory

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"

	daemon "cutaway/07-daemon"
)

// Engine keeps containers in memory.
type Engine struct {
	mu         sync.Mutex
	containers []*ctr // oldest first
	execs      map[string]*exec
	images     map[string]string // name → ID
	happened   []events.Message
	news       chan struct{} // closed and replaced when something happens
}

// ctr is one container; Engine.mu guards its fields, a process has a lock of its own.
type ctr struct {
	id, name string
	created  time.Time
	config   container.CreateRequest
	paused   bool
	proc     *process // the running or the last one; before the first start, that
	next     *process // for whom attached or waits before the next start; else nil
	removed  chan struct{}
}

// exec is one more process for a container.
type exec struct {
	ctr  *ctr
	req  container.ExecCreateRequest
	proc *process
}

// New makes an engine that has one image, "toolbox".
func New() *Engine {
	return &Engine{
		execs:  map[string]*exec{},
		images: map[string]string{"toolbox:latest": newImageID("toolbox:latest")},
		news:   make(chan struct{}),
	}
}

// API is the engine as the server wants it: one value for each resource.
func (e *Engine) API() daemon.Engine {
	return daemon.Engine{
		Lifecycle: lifecycle{e}, Control: control{e}, Views: views{e}, Streams: streams{e},
		Execs: execs{e}, Images: images{e}, System: host{e}, Events: journal{e},
	}
}

func newID() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails, crypto/rand
	return hex.EncodeToString(b[:])
}

// find looks a container up by name, ID, or unique prefix of an ID. Hold mu.
func (e *Engine) find(ref string) (*ctr, error) {
	var found []*ctr
	for _, c := range e.containers {
		if c.name == ref || c.id == ref {
			return c, nil
		}
		if ref != "" && strings.HasPrefix(c.id, ref) {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return nil, daemon.Errorf(daemon.NotFound, "No such container: %s", ref)
	case 1:
		return found[0], nil
	}
	return nil, daemon.Errorf(daemon.Invalid, "Multiple IDs found with provided prefix: %s", ref)
}

// lookup is find for those who do not hold mu.
func (e *Engine) lookup(ref string) (*ctr, *process, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(ref)
	if err != nil {
		return nil, nil, err
	}
	return c, c.proc, nil
}

// tell records an event. Hold mu.
func (e *Engine) tell(c *ctr, action events.Action) {
	now := time.Now()
	about := map[string]string{"name": c.name, "image": c.config.Image}
	if _, _, code := c.proc.history(); action == events.ActionDie {
		about["exitCode"] = strconv.Itoa(code)
	}
	e.happened = append(e.happened, events.Message{
		Type: events.ContainerEventType, Action: action, Scope: "local", Time: now.Unix(), TimeNano: now.UnixNano(),
		Actor: events.Actor{ID: c.id, Attributes: about},
	})
	close(e.news)
	e.news = make(chan struct{})
}

type lifecycle struct{ *Engine }

// Create implements daemon.Lifecycle.
func (e lifecycle) Create(_ context.Context, req daemon.CreateRequest) (container.CreateResponse, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.images[withTag(req.Image)]; !ok {
		return container.CreateResponse{}, daemon.Errorf(daemon.NotFound, "No such image: %s", withTag(req.Image))
	}
	id := newID()
	if req.Name == "" {
		req.Name = "goroutine_" + id[:6]
	}
	if c, err := e.find(req.Name); err == nil && c.name == req.Name {
		return container.CreateResponse{}, daemon.Errorf(daemon.Conflict, "Conflict. The container name %q is already in use by container %q. "+
			"You have to remove (or rename) that container to be able to reuse that name.", "/"+req.Name, c.id)
	}
	c := &ctr{id: id, name: req.Name, created: time.Now(), config: req.CreateRequest, removed: make(chan struct{})}
	c.proc = newProcess(c.spec())
	e.containers = append(e.containers, c)
	e.tell(c, events.ActionCreate)
	return container.CreateResponse{ID: id}, nil
}

func (c *ctr) spec() processSpec {
	return processSpec{
		args: slices.Concat(c.config.Entrypoint, c.config.Cmd), tty: c.config.Tty,
		stdin: c.config.OpenStdin, stdinOnce: c.config.StdinOnce,
	}
}

// upcoming is the running process, else the next one. Hold mu.
func (c *ctr) upcoming() *process {
	if !c.proc.ended() {
		return c.proc
	}
	if c.next == nil {
		c.next = newProcess(c.spec())
	}
	return c.next
}

// Start implements daemon.Lifecycle.
func (e lifecycle) Start(_ context.Context, ref string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(ref)
	if err != nil {
		return err
	}
	if c.proc.running() {
		return daemon.Errorf(daemon.NotModified, "container %s is already running", ref)
	}
	c.proc, c.next = c.upcoming(), nil
	if err := c.proc.start(); err != nil {
		return err
	}
	e.tell(c, events.ActionStart)
	go e.reap(c, c.proc)
	return nil
}

// reap waits for a process to end, as a parent must.
func (e lifecycle) reap(c *ctr, p *process) {
	<-p.exited
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tell(c, events.ActionDie)
	if c.config.HostConfig.AutoRemove {
		e.delete(c)
	}
}

func (e *Engine) delete(c *ctr) {
	if at := slices.Index(e.containers, c); at >= 0 {
		e.containers = slices.Delete(e.containers, at, at+1)
		e.tell(c, events.ActionDestroy)
		close(c.removed)
	}
}

// Stop implements daemon.Lifecycle.
func (e lifecycle) Stop(ctx context.Context, ref string, o daemon.StopOptions) error {
	_, p, err := e.lookup(ref)
	if err != nil {
		return err
	}
	if !p.running() {
		return daemon.Errorf(daemon.NotModified, "container %s is not running", ref)
	}
	if err := p.kill(o.Signal, "TERM"); err != nil {
		return err
	}
	select { // every program here ends at once, so the timeout is never needed
	case <-p.exited:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill implements daemon.Lifecycle.
func (e lifecycle) Kill(_ context.Context, ref, signal string) error {
	c, p, err := e.lookup(ref)
	if err != nil {
		return err
	}
	if !p.running() {
		return daemon.Errorf(daemon.Conflict, "cannot kill container: %s: container %s is not running", ref, c.id)
	}
	return p.kill(signal, "KILL")
}

// Remove implements daemon.Lifecycle.
func (e lifecycle) Remove(_ context.Context, ref string, o daemon.RemoveOptions) error {
	c, p, err := e.lookup(ref)
	if err != nil {
		return err
	}
	if p.running() {
		if !o.Force {
			return daemon.Errorf(daemon.Conflict, "cannot remove container %q: container is running: "+
				"stop the container before removing or force remove", ref)
		}
		if err := p.kill("KILL", "KILL"); err != nil {
			return err
		}
		<-p.exited
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.delete(c)
	return nil
}
