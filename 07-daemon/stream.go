package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/moby/moby/api/types"
	"golang.org/x/sys/unix"
)

// linger is how long a client has, after the last output was sent, to close its side.
const linger = 5 * time.Second

// stream takes the connection away from HTTP and connects the client with a
// process. Each direction ends by itself:
//
//	client                        server                          process
//	  │ POST …/attach  Upgrade: tcp │                                │
//	  │────────────────────────────▶│ Attach                         │
//	  │ 101 UPGRADED                │                                │
//	  │◀────────────────────────────│                                │
//	  │ ═══ bytes of stdin ════════▶│ ═════════════════════════════▶ │
//	  │ ◀══ stdout and stderr ══════│ ◀══════════════════════════════│
//	  │ shutdown(SHUT_WR) ─────────▶│ CloseWrite ──────────── EOF ──▶│
//	  │ ◀══ what it still writes ═══│ ◀══════════════════════════════│
//	  │◀─────────── shutdown(SHUT_WR)│◀───────────────────────── EOF │ exit
//	  │ close ─────────────────────▶│ close                          ×
func (s *Server) stream(w http.ResponseWriter, r *http.Request, st Stream) error {
	s.streams.Add(1)
	defer s.streams.Done()
	defer st.Conn.Close()
	keys, err := ParseDetachKeys(st.DetachKeys)
	if err != nil {
		return err
	}
	if !st.TTY {
		keys = nil // without a terminal these are bytes like any other
	}
	c, err := hijack(w, r, formatOf(st.TTY))
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(s.ending, func() { c.Close(); st.Conn.Close() })()

	fed := make(chan struct{})
	go func() {
		defer close(fed)
		feed(st, c, keys)
	}()
	_, err = io.Copy(c, st.Conn)
	select {
	case <-fed:
		return nil // the client detached or went away
	default:
	}
	// Closing a socket that has unread input resets it, and a reset may overtake
	// the last output. So say "that was all", and let the client close first.
	_ = c.CloseWrite()
	_ = c.SetReadDeadline(time.Now().Add(linger))
	<-fed
	if errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return nil // it went away in the middle of the output, or the server ends
	}
	return err
}

// feed passes what the client sends to the process, then that there is no more.
// It goes on reading what a process no longer wants, and returns when the client
// detached, went away, or was told that the output is over.
//
// A terminal's input has no end (Ctrl-D is a byte): there, a client that stops
// sending is one that is about to leave, like `docker run -it` after Ctrl-P Ctrl-Q.
func feed(st Stream, c *client, keys []byte) {
	defer st.Conn.Close()
	var input io.Reader = c
	if len(keys) > 0 {
		input = &detacher{r: c, keys: keys}
	}
	if _, err := io.Copy(st.Conn, input); errors.Is(err, errDetached) {
		return
	}
	if !st.TTY {
		_ = st.Conn.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, c)
	c.waitHangup()
}

// client is a hijacked connection.
type client struct {
	net.Conn
	buffered *bufio.Reader // may hold bytes that came right after the request
}

// hijack answers the request and takes the connection over. A client that asks
// for an upgrade gets 101, so that proxies know; others get 200 and the same bytes.
func hijack(w http.ResponseWriter, r *http.Request, f format) (*client, error) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, fmt.Errorf("hijack the connection: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", types.MediaTypeRawStream)
	status := "200 OK"
	if r.Header.Get("Upgrade") != "" {
		status = "101 UPGRADED"
		h.Set("Content-Type", f.mediaType(version(r)))
		h.Set("Connection", "Upgrade")
		h.Set("Upgrade", "tcp")
	}
	fmt.Fprintf(buffered, "HTTP/1.1 %s\r\n", status)
	_ = h.Write(buffered)
	_, _ = buffered.WriteString("\r\n")
	if err := buffered.Flush(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("answer the upgrade: %w", err)
	}
	return &client{conn, buffered.Reader}, nil
}

// Read reads what the client sent.
func (c *client) Read(p []byte) (int, error) { return c.buffered.Read(p) }

// CloseWrite tells the client that no more output comes.
func (c *client) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Conn.Close()
}

// waitHangup returns when the client, which has ended its input, closes the
// connection altogether, or the read deadline passes. Both ends look the same to
// read(2): 0 bytes. poll(2) tells them apart: POLLHUP comes with the second.
// A process that is silent for long would otherwise keep the connections of all
// who ever looked at it. (Over TCP the second is seen only by keep-alive, or
// when something is written.)
func (c *client) waitHangup() {
	sc, ok := c.Conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd)}}
		_, _ = unix.Poll(p, 0)
		return p[0].Revents != 0 // POLLHUP or POLLERR; nothing else was asked for
	})
}
