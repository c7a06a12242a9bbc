package daemon

import (
	"net/http"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

func (s *Server) lifecycleRoutes() []route {
	if s.engine.Lifecycle == nil {
		return nil
	}
	return []route{
		{Method: "POST", Path: "/containers/create", Handle: s.create},
		{Method: "POST", Path: "/containers/{name}/start", Handle: s.start},
		{Method: "POST", Path: "/containers/{name}/stop", Handle: s.stop},
		{Method: "POST", Path: "/containers/{name}/kill", Handle: s.kill},
		{Method: "DELETE", Path: "/containers/{name}", Handle: s.remove},
	}
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) error {
	req := CreateRequest{Name: query(r, "name"), Platform: query(r, "platform")}
	if err := decode(w, r, &req.CreateRequest); err != nil {
		return err
	}
	if req.Config == nil {
		return Errorf(Invalid, "config cannot be empty in order to create a container")
	}
	if req.HostConfig == nil {
		req.HostConfig = &container.HostConfig{}
	}
	if req.NetworkingConfig == nil {
		req.NetworkingConfig = &network.NetworkingConfig{}
	}
	made, err := s.engine.Lifecycle.Create(r.Context(), req)
	if err != nil {
		return err
	}
	made.Warnings = orEmpty(made.Warnings)
	return reply(w, http.StatusCreated, made)
}

func (s *Server) start(w http.ResponseWriter, r *http.Request) error {
	return noContent(w, s.engine.Lifecycle.Start(r.Context(), name(r)))
}

func (s *Server) stop(w http.ResponseWriter, r *http.Request) error {
	o, err := stopOptions(r)
	if err != nil {
		return err
	}
	return noContent(w, s.engine.Lifecycle.Stop(r.Context(), name(r), o))
}

func stopOptions(r *http.Request) (StopOptions, error) {
	timeout, err := number(r, "t")
	return StopOptions{Signal: query(r, "signal"), Timeout: timeout}, err
}

func (s *Server) kill(w http.ResponseWriter, r *http.Request) error {
	return noContent(w, s.engine.Lifecycle.Kill(r.Context(), name(r), query(r, "signal")))
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) error {
	o := RemoveOptions{Force: flag(r, "force"), Volumes: flag(r, "v")}
	return noContent(w, s.engine.Lifecycle.Remove(r.Context(), name(r), o))
}

// noContent answers 204, or the error.
func noContent(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// orEmpty makes a list "[]" in JSON where nil would be "null".
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
