package engine

import (
	"bytes"
	"context"
	"errors"
	"io"

	daemon "cutaway/07-daemon"
	"cutaway/final/shim"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"
)

// Attach connects to a container's process, or to the one that is to be
// started: the shim holds the connection until then.
func (e *Engine) Attach(ctx context.Context, ref string, o daemon.AttachOptions) (daemon.Stream, error) {
	c, err := e.hold(ref)
	if err != nil {
		return daemon.Stream{}, err
	}
	defer c.verb.Unlock()
	r := c.look()
	stream := daemon.Stream{TTY: r.Config.Tty}
	var past []byte
	if o.Logs {
		if past, err = e.past(ctx, c, o); err != nil {
			return stream, err
		}
	}
	if !o.Stream {
		stream.Conn = conn{Reader: bytes.NewReader(past)}
		return stream, nil
	}
	s, err := e.ensureShim(c)
	if err != nil {
		return stream, err
	}
	live, err := s.Attach("", shim.Attach{Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr}, stdioOf(r.Config))
	if err != nil {
		return stream, err
	}
	if r.State.Status != container.StateRunning {
		c.early = append(c.early, live)
	}
	stream.Conn = conn{Reader: io.MultiReader(bytes.NewReader(past), live), live: live}
	return stream, nil
}

// past is what was written so far, in wire format.
func (e *Engine) past(ctx context.Context, c *Container, o daemon.AttachOptions) ([]byte, error) {
	var out []byte
	tty := c.look().Config.Tty
	for entry, err := range shim.ReadLog(ctx, c.dir, shim.ReadOptions{Stdout: o.Stdout, Stderr: o.Stderr, Tail: -1}) {
		if err != nil {
			return nil, err
		}
		kind := stdcopy.Stdout
		if entry.Stream == "stderr" {
			kind = stdcopy.Stderr
		}
		if tty {
			out = append(out, entry.Log...)
		} else {
			out = daemon.AppendFrame(out, kind, []byte(entry.Log))
		}
	}
	return out, nil
}

// stream is the far end of a connection with the shim.
type stream interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// conn is a connection with a process, or with nothing but its past.
type conn struct {
	io.Reader
	live stream // nil if there is only the past
}

// Read reads output. A process that ended without reading all of its input
// leaves ECONNRESET behind its last output: for us that is the end.
func (c conn) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if errors.Is(err, unix.ECONNRESET) {
		err = io.EOF
	}
	return n, err
}

// Write sends input.
func (c conn) Write(p []byte) (int, error) {
	if c.live == nil {
		return len(p), nil
	}
	return c.live.Write(p)
}

// CloseWrite ends the input.
func (c conn) CloseWrite() error {
	if c.live == nil {
		return nil
	}
	return c.live.CloseWrite()
}

// Close goes away; the process goes on.
func (c conn) Close() error {
	if c.live == nil {
		return nil
	}
	return c.live.Close()
}

// Resize sets the size of the container's terminal.
func (e *Engine) Resize(_ context.Context, ref string, size daemon.Size) error {
	c, err := e.hold(ref)
	if err != nil {
		return err
	}
	defer c.verb.Unlock()
	if c.shim == nil {
		return c.stopped()
	}
	return c.shim.Resize("", sizeOf(size))
}

func sizeOf(s daemon.Size) shim.Size {
	return shim.Size{Rows: uint16(min(s.Height, 1<<16-1)), Columns: uint16(min(s.Width, 1<<16-1))}
}

// mustRun is the shim of a container that runs; the caller holds the verb lock.
func (c *Container) mustRun() (*shim.Shim, error) {
	if c.shim == nil || !c.running() {
		return nil, c.stopped()
	}
	return c.shim, nil
}

// stopped is the error of a verb that needs a process.
func (c *Container) stopped() error {
	return notRunning.About(daemon.Errorf(daemon.Conflict, "container %s is not running", c.look().ID))
}
