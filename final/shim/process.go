package shim

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is one process of the container, from the first client that attaches
// to the last byte that it wrote.
type process struct {
	stdio   Stdio
	started chan struct{} // closed when child and input are set
	ended   chan struct{} // closed when exit is set
	fed     chan struct{} // closed when input is set
	child   *born
	exit    Exit
	out     *fan
	pumps   sync.WaitGroup
	input   *os.File // the write end of its standard input, or the terminal

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
		fed:     make(chan struct{}),
		out:     newFan(stdio.TTY),
	}
}

// start makes a child that was born the process, and gives what it writes to the log and to the attached.
func (p *process) start(b *born, to sink) {
	p.child = b
	p.pumps.Go(func() {
		defer p.out.close()
		if p.stdio.TTY {
			p.terminalOf(b, to)
			return
		}
		var both sync.WaitGroup
		both.Go(func() { p.pump(b.stdout, stdout, to) })
		both.Go(func() { p.pump(b.stderr, stderr, to) })
		both.Wait()
	})
	if !p.stdio.TTY {
		p.input = b.stdin
		close(p.fed)
	}
	close(p.started)
}

// terminalOf waits for the terminal that the child makes inside, and serves it.
func (p *process) terminalOf(b *born, to sink) {
	master := receive(b.terminal)
	if master == nil {
		return // the child failed before; it says why elsewhere
	}
	p.setTerminal(master)
	p.pump(master, stdout, to)
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
			<-p.child.reaped
			listenOn()
		}()
	}
	buf := make([]byte, 32<<10)
	for {
		if to.bounded && isClosed(p.child.reaped) {
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

// wait waits for the end of the process and gives its last output a chance to be read.
func (p *process) wait() Exit {
	<-p.child.reaped
	e := Exit{PID: p.child.handle.Pid, Code: 255, At: time.Now().UTC()}
	if status := p.child.status; status != nil {
		ws := status.Sys().(syscall.WaitStatus)
		e.Code = ws.ExitStatus()
		if ws.Signaled() {
			e.Signal = ws.Signal()
			e.Code = 128 + int(ws.Signal())
		}
	}
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
	if err := p.child.handle.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
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
	// Control itself fails if the process has just ended and its terminal was closed, which needs no size.
	_ = raw.Control(func(fd uintptr) { err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &ws) })
	return os.NewSyscallError("ioctl TIOCSWINSZ", err)
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
