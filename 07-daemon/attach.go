package daemon

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/moby/moby/api/types/container"
)

func (s *Server) streamRoutes() []route {
	if s.engine.Streams == nil {
		return nil
	}
	return []route{
		{Method: "POST", Path: "/containers/{name}/attach", Handle: s.attach, Long: true},
		{Method: "POST", Path: "/containers/{name}/resize", Handle: s.resize},
		{Method: "POST", Path: "/containers/{name}/wait", Handle: s.wait, Long: true},
	}
}

func (s *Server) attach(w http.ResponseWriter, r *http.Request) error {
	keys := query(r, "detachKeys")
	if _, err := ParseDetachKeys(keys); err != nil {
		return err
	}
	o := AttachOptions{
		Stdin: flag(r, "stdin"), Stdout: flag(r, "stdout"), Stderr: flag(r, "stderr"),
		Stream: flag(r, "stream"), Logs: flag(r, "logs"),
	}
	// A client without input may close its side at once, which net/http takes
	// for going away. So this call goes on without the request's context.
	st, err := s.engine.Streams.Attach(context.WithoutCancel(r.Context()), name(r), o)
	if err != nil {
		return err
	}
	st.DetachKeys = keys
	return s.stream(w, r, st)
}

func (s *Server) resize(_ http.ResponseWriter, r *http.Request) error {
	size, err := terminalSize(r)
	if err != nil {
		return err
	}
	return s.engine.Streams.Resize(r.Context(), name(r), size)
}

func terminalSize(r *http.Request) (Size, error) {
	h, errH := number(r, "h")
	w, errW := number(r, "w")
	// The kernel keeps both as unsigned short, ioctl_tty(2) TIOCSWINSZ.
	if errH != nil || errW != nil || h == nil || w == nil || min(*h, *w) < 0 || max(*h, *w) > 0xffff {
		return Size{}, Errorf(Invalid, "invalid size: h=%q, w=%q", query(r, "h"), query(r, "w"))
	}
	return Size{Height: uint(*h), Width: uint(*w)}, nil
}

// wait sends its status as soon as it is armed. `docker run` waits for that
// before it starts the container, so that it cannot miss the exit of a short one.
func (s *Server) wait(w http.ResponseWriter, r *http.Request) error {
	until := container.WaitCondition(query(r, "condition"))
	switch {
	case until == "" || version(r).Less(Version{1, 30}):
		until = container.WaitConditionNotRunning
	case until != container.WaitConditionNotRunning &&
		until != container.WaitConditionNextExit && until != container.WaitConditionRemoved:
		return Errorf(Invalid, "invalid condition: %q", until)
	}
	done, err := s.engine.Streams.Wait(r.Context(), name(r), until)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	if err := http.NewResponseController(w).Flush(); err != nil {
		return err
	}
	select {
	case status := <-done:
		return json.NewEncoder(w).Encode(status)
	case <-r.Context().Done():
		return nil // the client went away, or the server ends
	}
}
