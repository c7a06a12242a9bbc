package daemon

import (
	"net/http"
)

func (s *Server) viewRoutes() []route {
	if s.engine.Views == nil {
		return nil
	}
	return []route{
		{Method: "GET", Path: "/containers/json", Handle: s.list},
		{Method: "GET", Path: "/containers/{name}/json", Handle: s.inspect},
		{Method: "GET", Path: "/containers/{name}/logs", Handle: s.logs, Long: true},
		{Method: "GET", Path: "/containers/{name}/plan", Handle: s.plan},
	}
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) error {
	filters, err := ParseFilters(query(r, "filters"))
	if err != nil {
		return err
	}
	limit, err := number(r, "limit")
	if err != nil {
		return err
	}
	o := ListOptions{All: flag(r, "all"), Size: flag(r, "size"), Filters: filters}
	if limit != nil {
		o.Limit = max(*limit, 0) // docker ps sends -1 for "no limit"
	}
	found, err := s.engine.Views.List(r.Context(), o)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, orEmpty(found))
}

func (s *Server) inspect(w http.ResponseWriter, r *http.Request) error {
	ctr, err := s.engine.Views.Inspect(r.Context(), name(r), InspectOptions{Size: flag(r, "size")})
	if err != nil {
		return err
	}
	if version(r).Less(Version{1, 52}) {
		return reply(w, http.StatusOK, withDefaultBridge(ctr))
	}
	return reply(w, http.StatusOK, ctr)
}

func (s *Server) plan(w http.ResponseWriter, r *http.Request) error {
	steps, err := s.engine.Views.Plan(r.Context(), name(r))
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, steps)
}
