package daemon

import (
	"net/http"

	"github.com/moby/moby/api/types/container"
)

func (s *Server) controlRoutes() []route {
	if s.engine.Control == nil {
		return nil
	}
	return []route{
		{Method: "POST", Path: "/containers/{name}/restart", Handle: s.restart},
		{Method: "POST", Path: "/containers/{name}/rename", Handle: s.rename},
		{Method: "POST", Path: "/containers/{name}/pause", Handle: s.pause},
		{Method: "POST", Path: "/containers/{name}/unpause", Handle: s.unpause},
		{Method: "POST", Path: "/containers/{name}/update", Handle: s.update},
	}
}

func (s *Server) restart(w http.ResponseWriter, r *http.Request) error {
	o, err := stopOptions(r)
	if err != nil {
		return err
	}
	return noContent(w, s.engine.Control.Restart(r.Context(), name(r), o))
}

func (s *Server) rename(w http.ResponseWriter, r *http.Request) error {
	if query(r, "name") == "" {
		return Errorf(Invalid, "Neither old nor new names may be empty")
	}
	return noContent(w, s.engine.Control.Rename(r.Context(), name(r), query(r, "name")))
}

func (s *Server) pause(w http.ResponseWriter, r *http.Request) error {
	return noContent(w, s.engine.Control.Pause(r.Context(), name(r)))
}

func (s *Server) unpause(w http.ResponseWriter, r *http.Request) error {
	return noContent(w, s.engine.Control.Unpause(r.Context(), name(r)))
}

func (s *Server) update(w http.ResponseWriter, r *http.Request) error {
	var req container.UpdateConfig
	if err := decode(w, r, &req); err != nil {
		return err
	}
	done, err := s.engine.Control.Update(r.Context(), name(r), req)
	if err != nil {
		return err
	}
	done.Warnings = orEmpty(done.Warnings)
	return reply(w, http.StatusOK, done)
}
