package daemon

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
)

func (s *Server) execRoutes() []route {
	if s.engine.Execs == nil {
		return nil
	}
	return []route{
		{Method: "POST", Path: "/containers/{name}/exec", Handle: s.execCreate},
		{Method: "POST", Path: "/exec/{name}/start", Handle: s.execStart, Long: true},
		{Method: "POST", Path: "/exec/{name}/resize", Handle: s.execResize},
		{Method: "GET", Path: "/exec/{name}/json", Handle: s.execInspect},
	}
}

func (s *Server) execCreate(w http.ResponseWriter, r *http.Request) error {
	var req container.ExecCreateRequest
	if err := decode(w, r, &req); err != nil {
		return err
	}
	if len(req.Cmd) == 0 {
		return Errorf(Invalid, "No exec command specified")
	}
	if _, err := ParseDetachKeys(req.DetachKeys); err != nil {
		return err
	}
	id, err := s.engine.Execs.ExecCreate(r.Context(), name(r), req)
	if err != nil {
		return err
	}
	return reply(w, http.StatusCreated, container.ExecCreateResponse{ID: id})
}

func (s *Server) execStart(w http.ResponseWriter, r *http.Request) error {
	var req container.ExecStartRequest
	if err := decode(w, r, &req); err != nil {
		return err
	}
	o := ExecStartOptions{Detach: req.Detach, TTY: req.Tty}
	if req.Tty && req.ConsoleSize != nil {
		o.Size = &Size{Height: req.ConsoleSize[0], Width: req.ConsoleSize[1]}
	}
	st, err := s.engine.Execs.ExecStart(context.WithoutCancel(r.Context()), name(r), o) // as in attach
	switch {
	case err != nil && !o.Detach && KindOf(err) != NotFound:
		st = o.failed(err)
	case err != nil || st.Conn == nil:
		return err
	}
	return s.stream(w, r, st)
}

// failed is a stream that says why there is no process. Docker upgrades the
// connection first and starts the process then, so `docker exec` expects to read
// the reason where the output would be, and asks for the exit code afterwards.
func (o ExecStartOptions) failed(err error) Stream {
	message := formatOf(o.TTY).encode(stdcopy.Stdout, fmt.Appendf(nil, "%v\r\n", err))
	return Stream{TTY: o.TTY, Conn: lastWords{bytes.NewReader(message)}}
}

// lastWords is a Conn that has something to say and does not listen.
type lastWords struct{ *bytes.Reader }

// Write implements Conn.
func (lastWords) Write(p []byte) (int, error) { return len(p), nil }

// CloseWrite implements Conn.
func (lastWords) CloseWrite() error { return nil }

// Close implements Conn.
func (lastWords) Close() error { return nil }

func (s *Server) execResize(_ http.ResponseWriter, r *http.Request) error {
	size, err := terminalSize(r)
	if err != nil {
		return err
	}
	return s.engine.Execs.ExecResize(r.Context(), name(r), size)
}

func (s *Server) execInspect(w http.ResponseWriter, r *http.Request) error {
	exec, err := s.engine.Execs.ExecInspect(r.Context(), name(r))
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, exec)
}
