package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
)

// Server answers Docker's API. It is an http.Handler; Serve runs it on listeners.
type Server struct {
	engine  Engine
	options Options
	table   []route

	ending  context.Context // done when the server ends: long answers stop
	end     context.CancelFunc
	streams sync.WaitGroup // hijacked connections, of which net/http knows nothing
}

// Options changes how a Server behaves.
type Options struct {
	// Observe, if set, is called after every request, with the error that was
	// answered or that cut the answer off. A log of errors with
	// Status(err) == 500 is the least that a daemon should keep.
	Observe func(r *http.Request, status int, err error)
}

// New makes a server for an engine.
func New(e Engine, o Options) *Server {
	s := &Server{engine: e, options: o}
	s.ending, s.end = context.WithCancel(context.Background())
	s.table = s.routes()
	return s
}

// ServeHTTP answers one request. Whatever goes wrong becomes a status and a
// JSON message; a panic of the engine costs one answer, not the daemon.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := &response{ResponseWriter: w}
	err := s.answer(out, r)
	begun := out.status != 0
	switch {
	case begun:
	case err != nil:
		replyError(out, err)
	default:
		out.WriteHeader(http.StatusOK)
	}
	if s.options.Observe != nil {
		s.options.Observe(r, out.status, err)
	}
	_, half := errors.AsType[*halfError](err)
	_, panicked := errors.AsType[*PanicError](err)
	if half || panicked && begun && !out.hijacked {
		panic(http.ErrAbortHandler) // net/http cuts the connection: half an answer must not look whole
	}
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{v, debug.Stack()}
		}
	}()
	setHeaders(w.Header())
	if r.Header.Get("Origin") != "" {
		// A browser speaking for some web page. Who may use this API is root here.
		return Errorf(Forbidden, "requests from web pages are refused (Origin: %s)", r.Header.Get("Origin"))
	}
	v, path, err := splitVersion(r.URL.Path)
	if err != nil {
		return err
	}
	rt, name, ok := s.find(r.Method, path)
	if !ok {
		return Errorf(NotFound, "page not found")
	}
	r.SetPathValue("version", v.String())
	r.SetPathValue("name", name)
	if rt.Long {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(s.ending, cancel)()
		r = r.WithContext(ctx)
	}
	return rt.Handle(w, r)
}

// setHeaders says in every answer, also in errors, what this server speaks.
func setHeaders(h http.Header) {
	h.Set("Server", "cutaway (linux)")
	h.Set("Api-Version", MaxVersion.String())
	h.Set("Docker-Experimental", "false")
	h.Set("Ostype", "linux")
}

// version is what the client speaks.
func version(r *http.Request) Version {
	v, _ := ParseVersion(r.PathValue("version")) // answer has checked it
	return v
}

// response remembers whether an answer was begun.
type response struct {
	http.ResponseWriter
	status   int // 0 = nothing sent
	hijacked bool
}

// Hijack hands over the connection; the status line is then the hijacker's to write.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.status, w.hijacked = http.StatusSwitchingProtocols, true
	}
	return conn, buffered, err
}

func (w *response) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController flush.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// PanicError is what Observe is told when a handler or the engine panicked.
type PanicError struct {
	Value any
	Stack []byte
}

// Error does not show the stack, which the client has no use for.
func (p *PanicError) Error() string { return fmt.Sprintf("internal error: %v", p.Value) }
