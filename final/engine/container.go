package engine

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	network "cutaway/06-network"
	daemon "cutaway/07-daemon"
	"cutaway/final/plan"
	"cutaway/final/shim"

	"github.com/moby/moby/api/types/container"
)

// Record is what is kept of a container on disk, in container.json.
type Record struct {
	ID       string
	Name     string
	Created  time.Time
	Image    string // ID
	Config   container.Config
	Host     container.HostConfig
	Mounts   []container.MountPoint
	Nameless []string `json:",omitempty"` // its anonymous volumes: they go with it
	Volatile bool     `json:",omitempty"` // its layer has been mounted so, and cannot be otherwise any more
	State    State
}

// State is where a container is in its life.
type State struct {
	Status    container.ContainerState // created, running or exited
	PID       int
	Paused    bool           // running, but frozen
	Address   netip.Addr     // on the bridge; zero if it is not there
	Ports     []network.Port // published
	Started   time.Time
	Finished  time.Time
	ExitCode  int
	Error     string // why the last start failed
	OOMKilled bool
}

// Container is one container in memory.
type Container struct {
	dir    string // what is kept of it
	bundle string // what its start makes, gone at a reboot as its process is

	// verb is held by the one verb that changes the container; it guards shim and
	// early, and removed is set under both locks.
	verb    sync.Mutex
	shim    *shim.Shim       // nil if there is none
	early   []*shim.Attached // came before the process
	removed bool

	mu      sync.Mutex // guards what follows; held for moments only
	record  Record
	plan    *plan.Plan    // of the last start
	child   int           // its first process, once it is there
	stepper *stepper      // of a start that is being stepped through
	ended   chan struct{} // closed when the running process has ended and all is undone
	waiters []waiter
}

// waiter is somebody who wants to know about the end.
type waiter struct {
	removed bool // wait for the removal, not only for the end
	tell    chan<- container.WaitResponse
}

// look is a copy of the record.
func (c *Container) look() Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.record
}

// running tells whether the process runs.
func (c *Container) running() bool { return c.look().State.Status == container.StateRunning }

// shown is the state as Docker calls it.
func (s State) shown() container.ContainerState {
	if s.Paused {
		return container.StatePaused
	}
	return s.Status
}

// change changes the record in memory and on disk.
func (c *Container) change(how func(*Record)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	how(&c.record)
	return c.save()
}

// recordIn is the file whose presence makes a container.
func recordIn(dir string) string { return filepath.Join(dir, "container.json") }

// save writes the record as a whole or not at all. It is synced when the
// container is new, so that one that was reported made is there after a power
// cut; what runs does not survive that anyway. One that goes away by itself is
// not worth the wait.
func (c *Container) save() error {
	data, err := json.MarshalIndent(c.record, "", "\t")
	if err != nil {
		return err
	}
	temp := recordIn(c.dir) + ".new"
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && c.record.State.Status == container.StateCreated && !c.record.Host.AutoRemove {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(temp, recordIn(c.dir))
}

// container is one in memory that has an ID and nothing else.
func (e *Engine) container(id string) *Container {
	return &Container{dir: e.data("containers", id), bundle: e.exec("containers", id), record: Record{ID: id}}
}

// load reads the record. fs.ErrNotExist if there is none.
func (c *Container) load() error {
	data, err := os.ReadFile(recordIn(c.dir))
	if err != nil {
		return err
	}
	return json.Unmarshal(data, &c.record)
}

// detach lets go of the shim, which goes on, and of the plan.
func (c *Container) detach() error {
	c.verb.Lock()
	defer c.verb.Unlock()
	err := c.letGo()
	if p := c.currentPlan(); p != nil {
		err = errors.Join(err, p.Close())
	}
	return err
}

// find looks a container up by name, ID or the beginning of an ID, in this
// order, as Docker does.
func (e *Engine) find(ref string) (*Container, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range []string{e.names[strings.TrimPrefix(ref, "/")], ref} {
		if c := e.containers[id]; c != nil { // a name is claimed before its container is there
			return c, nil
		}
	}
	var found *Container
	for id, c := range e.containers {
		if ref == "" || !strings.HasPrefix(id, ref) {
			continue
		}
		if found != nil {
			return nil, ambiguous.About(daemon.Errorf(daemon.Invalid, "multiple IDs found with provided prefix: %s", ref))
		}
		found = c
	}
	if found == nil {
		return nil, absent(ref)
	}
	return found, nil
}

// absent says that there is no such container, also of one that is being removed.
func absent(ref string) error {
	return noContainer.About(daemon.Errorf(daemon.NotFound, "No such container: %s", ref))
}

// hold finds a container and takes its verb lock; the caller unlocks it. It does
// not wait for a start that stands still between two steps.
func (e *Engine) hold(ref string) (*Container, error) {
	c, err := e.find(ref)
	if err != nil {
		return nil, err
	}
	if err := c.stands(); err != nil {
		return nil, err
	}
	c.verb.Lock()
	if c.removed {
		c.verb.Unlock()
		return nil, absent(ref)
	}
	return c, nil
}

// socket is where a container's shim listens. The length of such a path is
// limited (unix(7)), so the name is not the whole ID.
func (e *Engine) socket(id string) string { return e.exec("shims", id[:min(16, len(id))]) }

// missing tells whether an error only says that a file is not there.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
