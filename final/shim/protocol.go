package shim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	namespaces "cutaway/02-namespaces"

	"golang.org/x/sys/unix"
)

// Every connection begins with one request, a line of JSON, and its answer.
// What follows depends on the verb:
//
//	hold    nothing; the shim stays while the connection is open
//	spawn   when the process ends, its Exit as another line
//	wait    the same, for a process that was spawned before
//	attach  the raw streams, both ways, until the output ends
//	signal  nothing
//	resize  nothing
type request struct {
	Verb   string      `json:"verb"`
	ID     string      `json:"id,omitempty"` // which process; "" is the first
	Spawn  *Spawn      `json:"spawn,omitempty"`
	Attach *Attach     `json:"attach,omitempty"`
	Signal unix.Signal `json:"signal,omitempty"`
	Size   *Size       `json:"size,omitempty"`
}

// answer is the shim's reply to a request.
type answer struct {
	PID   int           `json:"pid,omitempty"`
	Error string        `json:"error,omitempty"`
	Errno syscall.Errno `json:"errno,omitempty"`
}

// Spawn says what process to start. It is always the engine's own binary, in
// its part as the child that waits for orders.
type Spawn struct {
	Clone        namespaces.Clone
	PIDNamespace string // path of the PID namespace to start in; "" = as Clone says
	Stdio        Stdio
	Log          bool // keep what it writes in the container's log
}

// Stdio says what a process has for standard input and output.
type Stdio struct {
	TTY       bool // one terminal, made by the process itself, instead of three pipes
	Stdin     bool // there is a standard input; else it reads /dev/null
	StdinOnce bool // it ends with the first attached client that ends its own
}

// Attach says which streams a client wants.
type Attach struct{ Stdin, Stdout, Stderr bool }

// Size is a terminal's size in characters.
type Size struct{ Rows, Columns uint16 }

// Exit is how a process ended.
type Exit struct {
	PID    int         `json:"pid"`
	Code   int         `json:"code"` // as a shell tells it: 128+n for signal n
	Signal unix.Signal `json:"signal,omitempty"`
	At     time.Time   `json:"at"`
}

// The descriptors that a child finds open besides the first three.
const (
	OrdersFD   = 3 // the socket of plan.Perform
	TerminalFD = 4 // where it sends the master of its terminal, with a TTY
)

// maxLine bounds a request; none is near it.
const maxLine = 64 << 10 // bytes

// pair is how we talk to a process that is about to be started: our end as a
// connection, and its end as a file to be passed on.
func pair() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	file, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return conn.(*net.UnixConn), theirs, nil
}

// readLine reads one line and the descriptor that came with it. It looks before
// it takes, so that nothing behind the line is taken.
func readLine(conn *net.UnixConn, v any) (*os.File, error) {
	var line []byte
	var passed *os.File
	buf, oob := make([]byte, 4<<10), make([]byte, unix.CmsgSpace(4))
	for !bytes.HasSuffix(line, []byte("\n")) {
		n, err := peek(conn, buf)
		if err != nil {
			return passed, err
		}
		if i := bytes.IndexByte(buf[:n], '\n'); i >= 0 {
			n = i + 1
		}
		n, oobn, _, _, err := conn.ReadMsgUnix(buf[:n], oob)
		if err != nil {
			return passed, err
		}
		if n == 0 || len(line)+n > maxLine {
			return passed, io.ErrUnexpectedEOF
		}
		if oobn > 0 {
			passed = descriptorIn(oob[:oobn])
		}
		line = append(line, buf[:n]...)
	}
	return passed, json.Unmarshal(line, v)
}

// peek waits for something to read, and leaves it there: recv(2), MSG_PEEK.
func peek(conn *net.UnixConn, buf []byte) (n int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var rerr error
	err = raw.Read(func(fd uintptr) (done bool) {
		n, _, rerr = unix.Recvfrom(int(fd), buf, unix.MSG_PEEK)
		return !errors.Is(rerr, unix.EAGAIN)
	})
	if rerr != nil {
		err = os.NewSyscallError("recvfrom", rerr)
	}
	return n, err
}

// descriptorIn takes the descriptor out of a control message (unix(7), SCM_RIGHTS).
func descriptorIn(oob []byte) *os.File {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(messages) == 0 {
		return nil
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) == 0 {
		return nil
	}
	unix.CloseOnExec(fds[0])
	return os.NewFile(uintptr(fds[0]), "passed")
}

// writeLine sends v as a line, with a descriptor if f is not nil.
func writeLine(conn *net.UnixConn, v any, f *os.File) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var oob []byte
	if f != nil {
		oob = unix.UnixRights(int(f.Fd()))
	}
	_, _, err = conn.WriteMsgUnix(append(line, '\n'), oob, nil)
	return err
}

// SendTerminal passes the master of a pseudo-terminal from the child to the
// shim: sendmsg(2) with SCM_RIGHTS over TerminalFD.
func SendTerminal(master *os.File) error {
	if err := unix.Sendmsg(TerminalFD, []byte{'t'}, unix.UnixRights(int(master.Fd())), nil, 0); err != nil {
		return fmt.Errorf("send the terminal to the shim: %w", os.NewSyscallError("sendmsg", err))
	}
	return nil
}

// failure makes an answer of an error.
func failure(err error) answer {
	a := answer{Error: err.Error()}
	errors.As(err, &a.Errno)
	return a
}

// err is the error in an answer, with its errno.
func (a answer) err() error {
	switch {
	case a.Error == "":
		return nil
	case a.Errno != 0:
		return fmt.Errorf("%s (%w)", a.Error, a.Errno)
	}
	return errors.New(a.Error)
}
