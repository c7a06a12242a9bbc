package daemon

import (
	"context"
	"net/http"
)

func (s *Server) planRoutes() []route {
	if s.engine.Plans == nil {
		return nil
	}
	return []route{
		{Method: "GET", Path: "/exec/{name}/plan", Handle: s.execPlan},
		{Method: "POST", Path: "/containers/{name}/step", Handle: s.step, Long: true},
	}
}

func (s *Server) execPlan(w http.ResponseWriter, r *http.Request) error {
	steps, err := s.engine.Plans.ExecPlan(r.Context(), name(r))
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, steps)
}

func (s *Server) step(w http.ResponseWriter, r *http.Request) error {
	st, err := s.engine.Plans.Step(context.WithoutCancel(r.Context()), name(r)) // as in attach
	if err != nil {
		return err
	}
	return s.stream(w, r, st)
}
