package shim

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"sync"

	"encoding/json"

	"golang.org/x/sys/unix"
)

// A Shim is the engine's end of a container's shim.
type Shim struct {
	socket string
	hold   *net.UnixConn // keeps an idle shim alive
	ready  ready         // to be the first process
}

// Place says where a shim lives.
type Place struct {
	Dir    string // for exit.json; it is there by the time that a process is spawned
	Log    string // path
	Socket string // at most 107 bytes, see unix(7)
}

// ErrGone means that no shim answers at the socket.
var ErrGone = errors.New("no shim")

// Connect finds the shim of a container that another engine started. ErrGone if
// there is none.
func Connect(socket string) (*Shim, error) {
	s := &Shim{socket: socket}
	conn, _, err := s.ask(request{Verb: "hold"}, nil)
	if err != nil {
		return nil, err
	}
	s.hold = conn
	return s, nil
}

// Close lets go of the shim: one without a process and without clients ends.
func (s *Shim) Close() error { return errors.Join(s.Anew(), s.hold.Close()) }

// Anew gives up the child that is ready, so that the first process will be born
// when it is spawned, for somebody to see.
func (s *Shim) Anew() error { return s.ready.close() }

// request opens a connection and makes a request over it.
func (s *Shim) request(r request, pass *os.File) (*net.UnixConn, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: s.socket, Net: "unix"})
	if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil, ErrGone
	}
	if err != nil {
		return nil, err
	}
	if err := writeLine(conn, r, pass); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrGone, err), conn.Close())
	}
	return conn, nil
}

// hear waits for the answer to a request.
func hear(conn *net.UnixConn) (answer, error) {
	var a answer
	if _, err := readLine(conn, &a); err != nil {
		return a, fmt.Errorf("%w: %w", ErrGone, err)
	}
	return a, a.err()
}

// ask makes a request and waits for its answer.
func (s *Shim) ask(r request, pass *os.File) (*net.UnixConn, answer, error) {
	conn, err := s.request(r, pass)
	if err != nil {
		return nil, answer{}, err
	}
	a, err := hear(conn)
	if err != nil {
		return nil, a, errors.Join(err, conn.Close())
	}
	return conn, a, nil
}

// tell makes a request that has no more than an answer.
func (s *Shim) tell(r request) error {
	conn, _, err := s.ask(r, nil)
	if err != nil {
		return err
	}
	return conn.Close()
}

// Spawn starts the process with this ID, or takes the one that is ready, if it is
// of this kind and alive. The returned Running tells when it ends, and has our end
// of the socket of plan.Child.
func (s *Shim) Spawn(id string, what Spawn) (*Running, error) {
	r := request{Verb: "spawn", ID: id, Spawn: &what}
	if id == "" && s.ready.orders != nil && reflect.DeepEqual(what, s.ready.what) {
		ours := s.ready.orders
		s.ready.orders = nil
		if running, err := s.running(r, ours, nil); err == nil {
			return running, nil
		}
	}
	ours, theirs, err := pair()
	if err != nil {
		return nil, err
	}
	// With our copy open, the child's execve would not end the connection.
	defer theirs.Close()
	return s.running(r, ours, theirs)
}

// running asks for a process, whose orders will come from ours.
func (s *Shim) running(r request, ours *net.UnixConn, theirs *os.File) (*Running, error) {
	conn, a, err := s.ask(r, theirs)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("spawn: %w", err), ours.Close())
	}
	return &Running{PID: a.PID, Orders: ours, conn: conn}, nil
}

// Find is a process that was spawned before.
func (s *Shim) Find(id string) (*Running, error) {
	conn, a, err := s.ask(request{Verb: "wait", ID: id}, nil)
	if err != nil {
		return nil, fmt.Errorf("find process: %w", err)
	}
	return &Running{PID: a.PID, conn: conn}, nil
}

// Attached is a connection with the streams of a process.
type Attached struct {
	*net.UnixConn
	// Ready waits until the shim has made the connection: what the process writes
	// from then on comes over it. Reading waits for that by itself.
	Ready func() error
}

// Attach connects to the streams of a process, spawned or not. It does not wait
// for the shim, which may be about to start.
func (s *Shim) Attach(id string, what Attach, stdio Stdio) (*Attached, error) {
	conn, err := s.request(request{Verb: "attach", ID: id, Attach: &what, Spawn: &Spawn{Stdio: stdio}}, nil)
	if err != nil {
		return nil, err
	}
	return &Attached{conn, sync.OnceValue(func() error {
		_, err := hear(conn)
		return err
	})}, nil
}

// Read reads output, in wire format.
func (a *Attached) Read(p []byte) (int, error) {
	if err := a.Ready(); err != nil {
		return 0, err
	}
	return a.UnixConn.Read(p)
}

// Signal sends a signal to a process. The shim is its parent, so the number
// cannot mean another process by then.
func (s *Shim) Signal(id string, sig unix.Signal) error {
	return s.tell(request{Verb: "signal", ID: id, Signal: sig})
}

// Resize sets the size of a process's terminal. The process must be expected: be
// spawned, or have somebody attached.
func (s *Shim) Resize(id string, size Size) error {
	return s.tell(request{Verb: "resize", ID: id, Size: &size})
}

// A Running process.
type Running struct {
	PID    int           // as the engine sees it
	Orders *net.UnixConn // our end of the socket of plan.Child; nil of one that was found
	conn   *net.UnixConn
}

// Wait waits for the end. ErrGone means that the shim ended first.
func (r *Running) Wait() (Exit, error) {
	defer r.conn.Close()
	var e Exit
	if _, err := readLine(r.conn, &e); err != nil {
		return e, fmt.Errorf("%w: %w", ErrGone, err)
	}
	return e, nil
}

// ReadExit is the status of a container's first process, left by its shim in dir.
// fs.ErrNotExist if it left none.
func ReadExit(dir string) (Exit, error) {
	var e Exit
	data, err := os.ReadFile(exitIn(dir))
	if err != nil {
		return e, err
	}
	return e, json.Unmarshal(data, &e)
}

func exitIn(dir string) string { return filepath.Join(dir, "exit.json") }

// LogIn is the path of the log of the container in dir.
func LogIn(dir string) string { return filepath.Join(dir, "json.log") }
