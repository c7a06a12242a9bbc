package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// server is the shim itself.
type server struct {
	dir string // for exit.json
	log *Log

	mu        sync.Mutex // guards what follows
	processes map[string]*process
	ready     *born         // waits to become the first process; nil if there is none
	users     int           // connections and live processes
	idle      chan struct{} // closed when the last user has gone
}

// patience is how long a shim that nobody has called waits before it ends: its
// engine died between starting it and connecting.
const patience = 30 * time.Second

// Main is the shim's whole life: hear from the engine, at the socket that is
// descriptor 3, what process to have ready, then for which container it is and
// where to listen, and serve there until the container has ended. It returns the
// exit code.
func Main() int {
	_ = os.WriteFile("/proc/self/comm", []byte("cutaway-shim"), 0)
	// Caught and not ignored: a child would inherit that.
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGPIPE)
	s := &server{processes: map[string]*process{}, idle: make(chan struct{})}
	listener, err := s.hired()
	defer s.dropReady()
	if err != nil {
		fmt.Fprintln(os.Stderr, "shim:", err)
		return 1
	}
	if listener == nil {
		return 0
	}
	s.serve(listener)
	_ = s.log.Close()
	return 0
}

// hired bears the child that is to be ready, and waits for a container; without a
// listener there will be none.
func (s *server) hired() (*net.UnixListener, error) {
	engine := os.NewFile(3, "engine")
	defer engine.Close()
	conn, err := net.FileConn(engine)
	if err != nil {
		return nil, fmt.Errorf("descriptor 3: %w", err)
	}
	defer conn.Close()
	var what Spawn
	orders, err := readLine(conn.(*net.UnixConn), &what)
	if err != nil || orders == nil { // the engine is gone
		return nil, nil
	}
	s.ready, _ = bear(what, orders) // whoever needs it will ask for another, and hear why there is none
	var p Place
	file, err := readLine(conn.(*net.UnixConn), &p)
	if err != nil {
		return nil, nil
	}
	if file == nil {
		return nil, errors.New("a container without a listening socket")
	}
	defer file.Close()
	l, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	s.dir, s.log = p.Dir, NewLog(p.Log)
	return l.(*net.UnixListener), nil
}

func (s *server) serve(listener *net.UnixListener) {
	go func() {
		<-s.idle
		_ = listener.Close()
	}()
	_ = listener.SetDeadline(time.Now().Add(patience))
	for {
		conn, err := listener.AcceptUnix()
		if err != nil {
			return
		}
		_ = listener.SetDeadline(time.Time{})
		s.enter()
		go func() {
			defer s.leave()
			defer conn.Close()
			s.answer(conn)
		}()
	}
}

// enter and leave count those for whom the shim has to stay.
func (s *server) enter() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users++
}

func (s *server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users == 0 {
		close(s.idle)
		s.users = -1 // a connection that comes this late finds the listener closed
	}
}

// find is the process with this ID, or nil.
func (s *server) find(id string) *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.processes[id]
}

// expect finds the process of a request, or makes room for one to come.
func (s *server) expect(r request) *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.processes[r.ID]
	if !ok {
		p = newProcess(r.Spawn.Stdio)
		s.processes[r.ID] = p
	}
	return p
}

// abandon ends the attachments to processes that were never spawned: a start that failed early, and nobody is
// left who would try again with this shim.
func (s *server) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, p := range s.processes {
		if !isClosed(p.started) {
			p.out.close()
			delete(s.processes, id)
		}
	}
}

// answer serves one connection.
func (s *server) answer(conn *net.UnixConn) {
	var r request
	passed, err := readLine(conn, &r)
	if passed != nil {
		defer passed.Close()
	}
	if err != nil {
		return
	}
	switch p := s.find(r.ID); {
	case r.Verb == "hold":
		s.say(conn, answer{})
		_, _ = conn.Read(make([]byte, 1)) // until the engine goes
		s.abandon()
	case r.Verb == "attach":
		s.expect(r).attach(conn, *r.Attach)
	case r.Verb == "spawn":
		s.spawn(conn, r, passed)
	case p == nil:
		s.say(conn, failure(errNotStarted))
	case r.Verb == "wait":
		s.follow(conn, p)
	case r.Verb == "signal":
		s.say(conn, result(p.signal(r.Signal)))
	case r.Verb == "resize":
		s.say(conn, result(p.resize(*r.Size)))
	default:
		s.say(conn, failure(fmt.Errorf("unknown verb %q", r.Verb)))
	}
}

// errNotStarted answers what only a process that was spawned can do.
var errNotStarted = errors.New("not started")

// say answers; if the engine is gone there is nobody to tell.
func (s *server) say(conn *net.UnixConn, a answer) { _ = writeLine(conn, a, nil) }

func result(err error) answer {
	if err != nil {
		return failure(err)
	}
	return answer{}
}

// spawn starts a process, says its number and later its end.
func (s *server) spawn(conn *net.UnixConn, r request, orders *os.File) {
	p := s.expect(r)
	if isClosed(p.started) {
		s.say(conn, failure(errors.New("started already")))
		return
	}
	b, err := s.child(r, orders)
	if err != nil {
		if orders != nil { // else it is asked for again, with orders
			p.out.close()
		}
		s.say(conn, failure(err))
		return
	}
	to := sink{bounded: r.Spawn.PIDNamespace != ""}
	if r.Spawn.Log {
		to.log = s.log
	}
	p.start(b, to)
	s.enter()
	go func() {
		defer s.leave()
		s.reap(r.ID, p)
	}()
	s.follow(conn, p)
}

// child is the one that is ready, if the engine has kept its other end and sends
// no orders' socket; else a new one.
func (s *server) child(r request, orders *os.File) (*born, error) {
	if r.ID != "" {
		return bear(*r.Spawn, orders)
	}
	if orders != nil {
		s.dropReady()
		return bear(*r.Spawn, orders)
	}
	b := s.takeReady()
	if b == nil {
		return nil, errors.New("spawn without orders")
	}
	if b.dead() {
		b.drop()
		return nil, errors.New("the child that was ready has been killed")
	}
	return b, nil
}

// takeReady is the child that is ready, for one who asks; nil if there is none.
func (s *server) takeReady() *born {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.ready
	s.ready = nil
	return b
}

func (s *server) dropReady() {
	if b := s.takeReady(); b != nil {
		b.drop()
	}
}

// follow says the number of a process that runs, and its end.
func (s *server) follow(conn *net.UnixConn, p *process) {
	if !isClosed(p.started) {
		s.say(conn, failure(errNotStarted))
		return
	}
	s.say(conn, answer{PID: p.child.handle.Pid})
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = conn.Read(make([]byte, 1))
	}()
	select {
	case <-p.ended:
		_ = writeLine(conn, p.exit, nil)
	case <-gone:
	}
}

// reap waits for a process, and keeps its status before it tells anybody.
func (s *server) reap(id string, p *process) {
	exit := p.wait()
	if id == "" {
		data, err := json.Marshal(exit)
		if err == nil {
			err = os.WriteFile(exitIn(s.dir)+".new", data, 0o600)
		}
		if err == nil {
			_ = os.Rename(exitIn(s.dir)+".new", exitIn(s.dir))
		}
	}
	p.exit = exit
	close(p.ended)
	p.pumps.Wait()
}
