package shim

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is one process of the container, from the first client that attaches
// to the last byte that it wrote.
type process struct {
	stdio   Stdio
	started chan struct{} // closed when handle and input are set
	ended   chan struct{} // closed when exit is set
	fed     chan struct{} // closed when input is set
	handle  *os.Process
	exit    Exit
	out     *fan
	pumps   sync.WaitGroup
	reaped  chan struct{} // closed when wait4 has returned
	input   *os.File      // the write end of its standard input, or the terminal

	mu       sync.Mutex // guards what follows
	terminal *os.File   // the master, once the child has sent it
	size     *Size      // wanted before there was a terminal
}

// ioGrace is how long the end of a process waits for its last output to be
// read, and how long after it the output of others who share its pipes is
// still listened to.
const ioGrace = 2 * time.Second

func newProcess(stdio Stdio) *process {
	return &process{
		stdio:   stdio,
		started: make(chan struct{}),
		ended:   make(chan struct{}),
		reaped:  make(chan struct{}),
		fed:     make(chan struct{}),
		out:     newFan(stdio.TTY),
	}
}

// start clones the child with its streams connected.
func (p *process) start(what Spawn, orders *os.File, log *Log) error {
	if p.handle != nil {
		return errors.New("started already")
	}
	var open []*os.File // the child's ends; ours are closed when it has them
	defer func() {
		for _, f := range open {
			_ = f.Close()
		}
	}()
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	open = append(open, null)
	files := []*os.File{null, null, null, orders}
	var connect func()
	if p.stdio.TTY {
		connect, err = p.expectTerminal(&files, sink{log: log})
	} else {
		connect, err = p.makePipes(files, sink{log, what.PIDNamespace != ""})
	}
	for _, f := range files {
		if f != null && f != orders {
			open = append(open, f)
		}
	}
	if err != nil {
		return err
	}
	if p.handle, err = startIn(what, files); err != nil {
		p.out.close()
		return fmt.Errorf("clone: %w", err)
	}
	connect()
	close(p.started)
	return nil
}

// makePipes puts the child's ends into files and returns what starts the pumps.
func (p *process) makePipes(files []*os.File, to sink) (func(), error) {
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	files[1] = outW
	errR, errW, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, outR.Close())
	}
	files[2] = errW
	if p.stdio.Stdin {
		inR, inW, err := os.Pipe()
		if err != nil {
			return nil, errors.Join(err, outR.Close(), errR.Close())
		}
		files[0], p.input = inR, inW
	}
	return func() {
		close(p.fed)
		var both sync.WaitGroup
		for r, s := range map[*os.File]stream{outR: stdout, errR: stderr} {
			both.Go(func() { p.pump(r, s, to) })
		}
		p.pumps.Go(func() {
			both.Wait()
			p.out.close()
		})
	}, nil
}

// expectTerminal gives the child a socket on which to send the terminal that it
// makes inside, and returns what waits for it.
func (p *process) expectTerminal(files *[]*os.File, to sink) (func(), error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	*files = append(*files, os.NewFile(uintptr(pair[1]), "terminal"))
	ours := os.NewFile(uintptr(pair[0]), "terminal")
	return func() {
		p.pumps.Go(func() {
			defer p.out.close()
			master := receive(ours)
			if master == nil {
				return // the child failed before; it says why elsewhere
			}
			p.setTerminal(master)
			p.pump(master, stdout, to)
		})
	}, nil
}

// receive waits for a descriptor on a socket; nil if the other end closes first.
func receive(f *os.File) *os.File {
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil
	}
	defer conn.Close()
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := conn.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), oob)
	if err != nil || n == 0 {
		return nil
	}
	passed := descriptorIn(oob[:n])
	if passed == nil {
		return nil
	}
	// Non-blocking, so that the runtime's poller waits and not a thread.
	fd, err := unix.Dup(int(passed.Fd()))
	_ = passed.Close()
	if err != nil {
		return nil
	}
	unix.CloseOnExec(fd)
	_ = unix.SetNonblock(fd, true)
	return os.NewFile(uintptr(fd), "ptmx")
}

func (p *process) setTerminal(master *os.File) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.terminal, p.input = master, master
	if p.size != nil {
		_ = setSize(master, *p.size)
	}
	close(p.fed)
}

// startIn starts the child, in another PID namespace if so asked. setns(2) with
// a PID namespace changes where the thread's next children are born, for good:
// so the thread is given up with its goroutine.
func startIn(what Spawn, files []*os.File) (*os.Process, error) {
	attr := &os.ProcAttr{Dir: "/", Env: []string{"GOMAXPROCS=2"}, Files: files, Sys: what.Clone.Attr()}
	if attr.Sys == nil {
		attr.Sys = &syscall.SysProcAttr{}
	}
	attr.Sys.Setsid = true
	type result struct {
		process *os.Process
		err     error
	}
	done := make(chan result)
	go func() {
		var r result
		defer func() { done <- r }()
		if what.PIDNamespace != "" {
			runtime.LockOSThread() // and never unlocked
			if r.err = enterPID(what.PIDNamespace); r.err != nil {
				return
			}
		}
		r.process, r.err = os.StartProcess("/proc/self/exe", []string{"cutaway", "init"}, attr)
	}()
	r := <-done
	return r.process, r.err
}

func enterPID(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWPID); err != nil {
		return &os.PathError{Op: "setns", Path: path, Err: err}
	}
	return nil
}

// sink is where the output of a process goes besides to the attached.
type sink struct {
	log *Log // nil = nowhere
	// bounded means that the writers may outlive the process (exec's background
	// children): the pump ends when they were silent for ioGrace after its end.
	bounded bool
}

// pump gives what a process writes to the log and to the attached.
func (p *process) pump(r *os.File, s stream, to sink) {
	defer r.Close()
	if to.log != nil {
		defer to.log.Flush(s)
	}
	listenOn := func() { _ = r.SetReadDeadline(time.Now().Add(ioGrace)) }
	if to.bounded {
		go func() {
			<-p.reaped
			listenOn()
		}()
	}
	buf := make([]byte, 32<<10)
	for {
		if to.bounded && isClosed(p.reaped) {
			listenOn()
		}
		n, err := r.Read(buf)
		if n > 0 {
			if to.log != nil {
				to.log.Write(s, buf[:n])
			}
			p.out.write(s, buf[:n])
		}
		if err != nil { // io.EOF, EIO of a terminal whose last user is gone, or the deadline
			return
		}
	}
}

// wait reaps the process and gives its last output a chance to be read.
func (p *process) wait() Exit {
	state, err := p.handle.Wait()
	e := Exit{PID: p.handle.Pid, Code: 255, At: time.Now().UTC()}
	if err == nil {
		ws := state.Sys().(syscall.WaitStatus)
		e.Code = ws.ExitStatus()
		if ws.Signaled() {
			e.Signal = ws.Signal()
			e.Code = 128 + int(ws.Signal())
		}
	}
	close(p.reaped)
	drained := make(chan struct{})
	go func() {
		p.pumps.Wait()
		close(drained)
	}()
	select {
	case <-drained:
	case <-time.After(ioGrace):
	}
	return e
}

func (p *process) signal(sig unix.Signal) error {
	if !isClosed(p.started) {
		return errNotStarted
	}
	if err := p.handle.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// resize sets the size now, or when there is a terminal.
func (p *process) resize(size Size) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.size = &size
	if p.terminal == nil {
		return nil
	}
	return setSize(p.terminal, size)
}

func setSize(master *os.File, size Size) error {
	ws := unix.Winsize{Row: size.Rows, Col: size.Columns}
	raw, err := master.SyscallConn()
	if err != nil {
		return err
	}
	var ioctl error
	err = raw.Control(func(fd uintptr) { ioctl = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &ws) })
	return errors.Join(err, os.NewSyscallError("ioctl TIOCSWINSZ", ioctl))
}

// attach makes a connection one of the process's streams.
func (p *process) attach(conn *net.UnixConn, what Attach) {
	gone, err := p.out.add(conn, what)
	if err != nil {
		return
	}
	if what.Stdin && p.stdio.Stdin {
		p.feed(conn)
	}
	_, _ = io.Copy(io.Discard, conn)
	// The client sends no more. It may still read: until the output ends, which
	// without a process it never does, or until the client hangs up.
	left := make(chan struct{})
	go func() {
		defer close(left)
		waitHangup(conn)
	}()
	select {
	case <-gone:
	case <-left:
	}
}

// waitHangup returns when the other end is closed altogether, which poll(2)
// tells apart from one that only sends no more, or when ours is.
func waitHangup(conn *net.UnixConn) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd)}}
		_, _ = unix.Poll(p, 0)
		return p[0].Revents != 0 // POLLHUP or POLLERR; nothing else was asked for
	})
}

// feed carries a client's input to the process, and its end if that is wanted.
func (p *process) feed(conn *net.UnixConn) {
	select {
	case <-p.fed:
	case <-p.out.closed:
		return
	}
	_, _ = io.Copy(p.input, conn)
	if p.stdio.StdinOnce && !p.stdio.TTY {
		_ = p.input.Close()
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
