package shim

import (
	"encoding/binary"
	"net"
	"slices"
	"sync"
)

// stream says which of a process's outputs a piece comes from, by the number
// that Docker's wire format has for it.
type stream byte

const (
	stdout stream = 1
	stderr stream = 2
)

func (s stream) String() string {
	if s == stderr {
		return "stderr"
	}
	return "stdout"
}

// fan gives what a process writes to everyone who is attached.
type fan struct {
	tty    bool
	closed chan struct{} // closed when there will be no more output

	mu       sync.Mutex // guards attached; not held while writing
	attached []*attached
}

// attached is one reader.
type attached struct {
	conn *net.UnixConn
	what Attach
	tty  bool          // it gets raw bytes, no frames
	gone chan struct{} // closed when nothing more will be written to it
	mu   sync.Mutex    // one frame at a time
}

func newFan(tty bool) *fan { return &fan{tty: tty, closed: make(chan struct{})} }

// add answers a client and makes it a reader, so that it gets everything from
// its answer on. The channel is closed when it gets nothing more.
func (f *fan) add(conn *net.UnixConn, what Attach) (<-chan struct{}, error) {
	a := &attached{conn: conn, what: what, tty: f.tty, gone: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := writeLine(conn, answer{}, nil); err != nil {
		return nil, err
	}
	if isClosed(f.closed) {
		a.end()
	} else {
		f.attached = append(f.attached, a)
	}
	return a.gone, nil
}

// write gives a piece to all readers that want this stream. It waits for slow
// ones, and forgets those that are gone.
func (f *fan) write(s stream, data []byte) {
	f.mu.Lock()
	readers := slices.Clone(f.attached)
	f.mu.Unlock()
	for _, a := range readers {
		if a.wants(s) && a.write(s, data) != nil {
			f.remove(a)
		}
	}
}

func (f *fan) remove(a *attached) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.Index(f.attached, a); i >= 0 {
		f.attached = slices.Delete(f.attached, i, i+1)
		a.end()
	}
}

// close tells all readers that the output has ended.
func (f *fan) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if isClosed(f.closed) {
		return
	}
	for _, a := range f.attached {
		a.end()
	}
	f.attached = nil
	close(f.closed)
}

func (a *attached) wants(s stream) bool {
	return s == stdout && a.what.Stdout || s == stderr && a.what.Stderr
}

// write sends a piece: raw from a terminal, else as a frame of Docker's
// multiplexed stream, 8 bytes (stream, 0, 0, 0, length in big endian) and the
// data: Docker Engine API, "Stream format" of ContainerAttach.
func (a *attached) write(s stream, data []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tty {
		_, err := a.conn.Write(data)
		return err
	}
	header := make([]byte, 8)
	header[0] = byte(s)
	binary.BigEndian.PutUint32(header[4:], uint32(len(data)))
	frame := net.Buffers{header, data}
	_, err := frame.WriteTo(a.conn)
	return err
}

// end half-closes the connection: the reader sees the end of the file, and
// closes its side when it has read everything.
func (a *attached) end() {
	_ = a.conn.CloseWrite()
	close(a.gone)
}
