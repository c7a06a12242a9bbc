package memory

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"golang.org/x/sys/unix"

	daemon "cutaway/07-daemon"
)

type processSpec struct {
	args                  []string
	tty, stdin, stdinOnce bool
}

// process is a program that is to run, runs, or ran. It keeps all that it ever
// wrote; whoever reads has a place of its own in that, so that nobody waits for a slow reader.
type process struct {
	processSpec
	exited chan struct{}  // closed at the end; code and finishedAt are then fixed
	signal chan struct{}  // closed by the signal that ends it
	killer syscall.Signal // that signal

	mu                    sync.Mutex
	startedAt, finishedAt time.Time
	code                  int
	output                []piece
	input                 bytes.Buffer
	inputEnded            bool
	size                  daemon.Size
	changed               chan struct{} // closed and replaced when any of these change
}

type piece struct {
	time   time.Time
	stream stdcopy.StdType
	data   []byte
}

func newProcess(spec processSpec) *process {
	return &process{
		processSpec: spec, inputEnded: !spec.stdin,
		exited: make(chan struct{}), signal: make(chan struct{}), changed: make(chan struct{}),
	}
}

// change lets f change the process and wakes those who wait for that.
func (p *process) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *process) start() error {
	if len(p.args) == 0 {
		return daemon.Errorf(daemon.Invalid, "no command specified")
	}
	program, ok := programs[p.args[0]]
	if !ok {
		return daemon.Errorf(daemon.Invalid, "exec: %q: executable file not found in $PATH", p.args[0])
	}
	p.change(func() { p.startedAt = time.Now() })
	go func() {
		code := program(p)
		if p.killed() {
			code = 128 + int(p.killer)
		}
		p.finish(code)
	}()
	return nil
}

// finish ends the life of a process, which may not have begun.
func (p *process) finish(code int) {
	p.change(func() {
		p.code, p.finishedAt = code, time.Now()
		close(p.exited)
	})
}

func (p *process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// history is when the process began and ended, zero if it did not, and its exit code.
func (p *process) history() (started, finished time.Time, code int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.startedAt, p.finishedAt, p.code
}

func (p *process) killed() bool {
	select {
	case <-p.signal:
		return true
	default:
		return false
	}
}

func (p *process) running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.startedAt.IsZero() && !p.ended()
}

// kill sends a signal. Here all of them end the process, except WINCH and CHLD.
func (p *process) kill(signal, byDefault string) error {
	if signal == "" {
		signal = byDefault
	}
	number := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(signal), "SIG"))
	if n, err := strconv.Atoi(signal); err == nil {
		number = syscall.Signal(n)
	}
	if number <= 0 || number > 64 {
		return daemon.Errorf(daemon.Invalid, "Invalid signal: %s", signal)
	}
	if number == unix.SIGWINCH || number == unix.SIGCHLD || p.killed() {
		return nil
	}
	p.change(func() {
		p.killer = number
		close(p.signal)
	})
	return nil
}

func (p *process) written() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.output)
}

// read gives the piece of output at a place, and waits for it; io.EOF when the process ended before.
func (p *process) read(ctx context.Context, at int) (piece, error) {
	for {
		p.mu.Lock()
		if at < len(p.output) {
			defer p.mu.Unlock()
			return p.output[at], nil
		}
		ended, changed := p.ended(), p.changed
		p.mu.Unlock()
		if ended {
			return piece{}, io.EOF
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return piece{}, ctx.Err()
		}
	}
}

// Read is the program's standard input.
func (p *process) Read(b []byte) (int, error) {
	for {
		p.mu.Lock()
		if p.input.Len() > 0 {
			defer p.mu.Unlock()
			return p.input.Read(b)
		}
		ended, changed := p.inputEnded, p.changed
		p.mu.Unlock()
		if ended {
			return 0, io.EOF
		}
		select {
		case <-changed:
		case <-p.signal:
			return 0, unix.EINTR
		}
	}
}

// Write is the program's standard output.
func (p *process) Write(b []byte) (int, error) { return p.write(stdcopy.Stdout, b) }

func (p *process) write(stream stdcopy.StdType, b []byte) (int, error) {
	if p.killed() {
		return 0, unix.EINTR
	}
	p.change(func() { p.output = append(p.output, piece{time.Now(), stream, bytes.Clone(b)}) })
	return len(b), nil
}

// conn connects a client with a process. It implements daemon.Conn.
type conn struct {
	*process
	ctx    context.Context
	cancel context.CancelFunc
	at     int
	rest   []byte
}

func (p *process) connect(at int) *conn {
	ctx, cancel := context.WithCancel(context.Background())
	return &conn{process: p, ctx: ctx, cancel: cancel, at: at}
}

// Read gives output in wire format.
func (c *conn) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		next, err := c.process.read(c.ctx, c.at)
		if err != nil {
			return 0, err
		}
		c.at++
		if c.rest = next.data; !c.tty {
			c.rest = daemon.AppendFrame(nil, next.stream, next.data)
		}
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// Write gives input to the process.
func (c *conn) Write(b []byte) (int, error) {
	if !c.stdin || c.ended() {
		return 0, unix.EPIPE
	}
	c.change(func() { c.input.Write(b) })
	return len(b), nil
}

// CloseWrite ends the input, if the process was made for one client's input.
func (c *conn) CloseWrite() error {
	if c.stdinOnce {
		c.change(func() { c.inputEnded = true })
	}
	return nil
}

// Close forgets the client.
func (c *conn) Close() error {
	c.cancel()
	return nil
}
