package shim

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"syscall"
)

// A Spare is a shim that has started and has no container yet, with a child that
// waits for orders already. To start a process takes some milliseconds, for which
// whoever waits for a container need not wait.
type Spare struct {
	conn  *net.UnixConn
	ready ready
}

// ready is a child that has been born and waits for orders.
type ready struct {
	what   Spawn
	orders *net.UnixConn // nil: there is none
}

// Start starts a shim that has a process ready of the kind that is likely to be
// wanted. Both end with the Spare, or with the engine, unless they were given a
// container before. Exe is the engine's binary, as a path that the engine can
// execute.
func Start(exe string, likely Spawn) (*Spare, error) {
	conn, theirs, err := pair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	orders, childs, err := pair()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	defer childs.Close()
	s := &Spare{conn, ready{likely, orders}}
	if err := writeLine(conn, likely, childs); err != nil { // it stands in the socket until it is read
		return nil, errors.Join(err, s.Close())
	}
	cmd := exec.Command(exe, "shim")
	cmd.Args[0] = "cutaway"
	cmd.Dir = "/"
	cmd.Env = []string{}
	cmd.ExtraFiles = []*os.File{theirs}
	// A session of its own: Ctrl-C in the engine's terminal is not for it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start shim: %w", err), s.Close())
	}
	go func() { _ = cmd.Wait() }() // its status is of no interest: exit.json has the container's
	return s, nil
}

// Close ends the shim and the child.
func (s *Spare) Close() error { return errors.Join(s.conn.Close(), s.ready.close()) }

// close ends the child.
func (r *ready) close() error {
	if r.orders == nil {
		return nil
	}
	orders := r.orders
	r.orders = nil
	return orders.Close()
}

// Serve gives the shim its container. The socket exists before the shim hears of
// it, so there is nothing to wait for: what it is asked stands in the socket. A
// status left by an earlier process is removed. The Spare is closed in any case.
func (s *Spare) Serve(p Place) (*Shim, error) {
	defer s.Close()
	for _, stale := range []string{p.Socket, exitIn(p.Dir)} {
		if err := os.Remove(stale); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: p.Socket, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen for the shim (is --exec-root too long a path?): %w", err)
	}
	listener.SetUnlinkOnClose(false)
	defer listener.Close()
	file, err := listener.File()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := writeLine(s.conn, p, file); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	shim := &Shim{socket: p.Socket}
	if shim.hold, err = shim.request(request{Verb: "hold"}, nil); err != nil {
		return nil, err
	}
	shim.ready, s.ready.orders = s.ready, nil
	return shim, nil
}
