package daemon

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/api/types/system"
)

// Engine is what the API serves: one small interface for each resource. A nil
// field means "this engine has none of these", and its paths answer 404.
//
// A ref names a container as a user does: its name, its ID or a unique prefix
// of its ID. All methods may be called from several goroutines at once; ctx
// ends when the client goes away or the server shuts down. Errors that are the
// user's carry a Kind (see Errorf); every other error answers 500.
type Engine struct {
	Lifecycle Lifecycle
	Control   Control
	Views     Views
	Streams   Streams
	Execs     Execs
	Images    Images
	Layers    Layers
	Transfer  Transfer
	Upkeep    Upkeep
	Builder   Builder
	System    System
	Events    Events
	Plans     Plans
}

// Lifecycle makes containers and ends them.
type Lifecycle interface {
	// Create makes a container and does not start it. NotFound if its image is
	// not here (that is what makes `docker run` pull and ask again); Conflict
	// if its name is taken.
	Create(ctx context.Context, req CreateRequest) (container.CreateResponse, error)
	// Start starts the process. NotModified if it is running.
	Start(ctx context.Context, ref string) error
	// Stop signals the process, and kills it if it is still there after the
	// timeout. It returns when the process is gone. NotModified if it was not running.
	Stop(ctx context.Context, ref string, o StopOptions) error
	// Kill sends a signal: "" (KILL), a number, "TERM" or "SIGTERM". Conflict
	// if the container is not running.
	Kill(ctx context.Context, ref, signal string) error
	// Remove deletes a container and its writable layer. Conflict if it is
	// running and o.Force is not set.
	Remove(ctx context.Context, ref string, o RemoveOptions) error
}

// Control changes containers that are there. An engine that lacks one of these
// verbs answers with Errorf(NotImplemented, …).
type Control interface {
	// Restart is Stop, if it runs, and Start; a container made with --rm survives it.
	Restart(ctx context.Context, ref string, o StopOptions) error
	// Rename gives a container another name. Conflict if that is taken.
	Rename(ctx context.Context, ref, name string) error
	// Pause freezes all processes of a container. Conflict if it is paused, or not running.
	Pause(ctx context.Context, ref string) error
	// Unpause thaws them. Conflict if it is not paused.
	Unpause(ctx context.Context, ref string) error
	// Update changes limits and the restart policy.
	Update(ctx context.Context, ref string, req container.UpdateConfig) (container.UpdateResponse, error)
}

// Views shows containers and changes nothing.
type Views interface {
	// List shows the running containers, or all, newest first. The engine applies the filters.
	List(ctx context.Context, o ListOptions) ([]container.Summary, error)
	// Inspect tells everything about one container.
	Inspect(ctx context.Context, ref string, o InspectOptions) (container.InspectResponse, error)
	// Logs replays what a container wrote and, with o.Follow and if it runs,
	// waits for more until the container ends or ctx does.
	Logs(ctx context.Context, ref string, o LogOptions) (Logs, error)
	// Plan is cutaway's own: the journal of the steps that made the container, as JSON.
	Plan(ctx context.Context, ref string) (json.RawMessage, error)
}

// Streams connects a client with a container's process.
type Streams interface {
	// Attach connects to standard input and output. The container may be
	// created and not yet started: the connection then waits for the process.
	// ctx does not end with the client, because a client without input ends its
	// half at once and still reads; Conn.Close tells that it went away.
	Attach(ctx context.Context, ref string, o AttachOptions) (Stream, error)
	// Resize sets the size of the container's terminal.
	Resize(ctx context.Context, ref string, size Size) error
	// Wait returns at once; the channel, which must have room for one value,
	// gets exactly one answer when the condition holds. When it has returned
	// without an error the wait is armed: an exit after that is not missed.
	Wait(ctx context.Context, ref string, until container.WaitCondition) (<-chan container.WaitResponse, error)
}

// Execs runs more processes in a running container.
type Execs interface {
	// ExecCreate prepares a process and returns its ID, 64 hexadecimal digits.
	ExecCreate(ctx context.Context, ref string, req container.ExecCreateRequest) (string, error)
	// ExecStart starts it. Unless o.Detach is set, the Stream is connected to
	// it; ctx is as in Attach. With o.Detach the Stream's Conn is nil. NotFound if there is no such
	// exec; if the process cannot be started, ExecInspect has 126 or 127 as its
	// exit code from then on.
	ExecStart(ctx context.Context, id string, o ExecStartOptions) (Stream, error)
	// ExecInspect tells whether the process runs, and its exit code.
	ExecInspect(ctx context.Context, id string) (container.ExecInspectResponse, error)
	// ExecResize sets the size of its terminal.
	ExecResize(ctx context.Context, id string, size Size) error
}

// Images keeps images. A ref is a name, a name@digest, an ID or a unique prefix of one.
type Images interface {
	// List shows images. The engine applies the filters.
	List(ctx context.Context, o ImageListOptions) ([]image.Summary, error)
	// Inspect tells everything about one image.
	Inspect(ctx context.Context, ref string) (image.InspectResponse, error)
	// Pull fetches an image and calls progress, from one goroutine at a time,
	// with the lines that the client shows. A failure is the returned error, not a line.
	Pull(ctx context.Context, o PullOptions, progress func(jsonstream.Message)) error
	// Tag gives an image one more name ("repository:tag").
	Tag(ctx context.Context, ref, name string) error
	// Remove takes a name away and, with the last name, the image.
	Remove(ctx context.Context, ref string, o ImageRemoveOptions) ([]image.DeleteResponse, error)
}

// System tells about the engine and its host.
type System interface {
	// Info answers `docker info`.
	Info(ctx context.Context) (system.Info, error)
	// Version answers `docker version`. The server fills in APIVersion,
	// MinAPIVersion, Os, Arch, GoVersion where they are empty.
	Version(ctx context.Context) (system.VersionResponse, error)
}

// Events tells what happens, as it happens.
type Events interface {
	// Events yields what happened since o.Since (zero: only what comes), until
	// o.Until or, if that is zero, until ctx ends. The engine applies the
	// filters. It has subscribed when it returns: later events are not missed.
	Events(ctx context.Context, o EventOptions) (iter.Seq2[events.Message, error], error)
}

// Plans is cutaway's own: what Docker has no words for.
type Plans interface {
	// ExecPlan is the journal of the steps that made an exec's process, as JSON.
	ExecPlan(ctx context.Context, id string) (json.RawMessage, error)
	// Step starts a container and stops before each step. The Stream speaks
	// lines of JSON both ways: what comes next, and whether to go on.
	Step(ctx context.Context, ref string) (Stream, error)
}

// CreateRequest is the body of POST /containers/create with its query.
type CreateRequest struct {
	Name     string // "" = the engine chooses
	Platform string // "" or "os/arch[/variant]"
	// Never nil inside: Config, HostConfig and NetworkingConfig are there, maybe empty.
	container.CreateRequest
}

// StopOptions says how a process is asked to end.
type StopOptions struct {
	Signal  string // "" = the container's own StopSignal
	Timeout *int   // seconds before KILL; nil = the container's own StopTimeout; -1 = wait for ever
}

// RemoveOptions says what `rm` takes along.
type RemoveOptions struct {
	Force   bool // kill it first if it runs
	Volumes bool // also its anonymous volumes
}

// ListOptions selects containers.
type ListOptions struct {
	All     bool // also those that do not run
	Size    bool // compute SizeRw and SizeRootFs
	Limit   int  // the newest so many, running or not; 0 = no limit
	Filters Filters
}

// InspectOptions says what to compute besides.
type InspectOptions struct {
	Size bool // compute SizeRw and SizeRootFs
}

// LogOptions selects log lines.
type LogOptions struct {
	Follow, Stdout, Stderr bool
	Timestamps, Details    bool // the server prints these; the engine may ignore them
	Since, Until           time.Time
	Tail                   int // the last so many lines; -1 = all
}

// Logs is a container's log being read.
type Logs struct {
	TTY   bool // written raw if so, else in frames
	Lines iter.Seq2[LogLine, error]
}

// LogLine is one line, or a part of a very long one, as the process wrote it.
type LogLine struct {
	Time   time.Time
	Stderr bool
	Data   []byte            // with its "\n", if it had one
	Attrs  map[string]string // shown with `docker logs --details`
}

// AttachOptions says what to connect.
type AttachOptions struct {
	Stdin, Stdout, Stderr bool
	Stream                bool // what comes from here on
	Logs                  bool // before that, what was written so far
}

// Stream is a connection with a process.
type Stream struct {
	TTY        bool   // raw bytes if so, else frames
	DetachKeys string // an exec's, as given to ExecCreate; "" = ctrl-p,ctrl-q
	Conn       Conn
}

// Conn carries a process's standard streams. Read gives its output in wire
// format (see Frame; raw with a TTY) and io.EOF when all of it was read. Write
// is the process's standard input. CloseWrite ends that input (whether the
// process sees it is the engine's decision: Docker keeps it open unless
// StdinOnce is set) and leaves the output flowing; with a TTY it is not called.
// Close means that the client went away: a Read that waits returns, and the
// process goes on.
type Conn interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// Size is a terminal's size in characters.
type Size struct{ Height, Width uint }

// ExecStartOptions says how to start an exec.
type ExecStartOptions struct {
	Detach bool
	TTY    bool
	Size   *Size // nil = as in ExecCreate
}

// ImageListOptions selects images.
type ImageListOptions struct {
	All        bool // also those without a name that others build upon
	Digests    bool
	SharedSize bool
	Filters    Filters
}

// PullOptions says what to fetch, and as whom.
type PullOptions struct {
	Ref      string // "repository:tag" or "repository@digest", as the user wrote it
	AllTags  bool   // every tag of the repository; Ref is then the repository alone
	Platform string // "" or "os/arch[/variant]"
	Auth     registry.AuthConfig
}

// ImageRemoveOptions says how far `rmi` goes.
type ImageRemoveOptions struct {
	Force   bool
	NoPrune bool // keep nameless parents
}

// EventOptions selects events.
type EventOptions struct {
	Since, Until time.Time // zero = open
	Filters      Filters
}

// Filters is what the user asked for with --filter: for each key, the values of
// which one is to match. Both JSON forms decode into it.
type Filters map[string][]string
