package daemon

import (
	"net/http"
	"strings"
)

// handler answers one request or returns the error to answer.
type handler func(w http.ResponseWriter, r *http.Request) error

// route is a row of the table below.
type route struct {
	Method string
	Path   string // "{name}" may hold slashes: images have them in their names
	Handle handler
	Long   bool // answers for as long as something lives; cut off when the server ends
}

// routes is the table of contents of the API. The paths are Docker's, except
// for the three that end in /plan and /step.
func (s *Server) routes() []route {
	var table []route
	for _, resource := range [][]route{
		s.lifecycleRoutes(), s.controlRoutes(), s.viewRoutes(), s.streamRoutes(),
		s.execRoutes(), s.imageRoutes(), s.layerRoutes(), s.transferRoutes(), s.upkeepRoutes(), s.systemRoutes(), s.eventRoutes(), s.planRoutes(), s.buildRoutes(),
	} {
		table = append(table, resource...)
	}
	return table
}

// find gives the route of a request and what stands in the place of "{name}".
// Fixed paths go before those with a name.
func (s *Server) find(method, path string) (found route, name string, ok bool) {
	for _, rt := range s.table {
		n, fits := rt.match(method, path)
		if fits && n == "" {
			return rt, "", true
		}
		if fits && !ok {
			found, name, ok = rt, n, true
		}
	}
	return found, name, ok
}

func (rt route) match(method, path string) (name string, ok bool) {
	before, after, named := strings.Cut(rt.Path, "{name}")
	if method != rt.Method || !named {
		return "", method == rt.Method && path == rt.Path
	}
	name, ok = strings.CutPrefix(path, before)
	if !ok {
		return "", false
	}
	name, ok = strings.CutSuffix(name, after)
	name = strings.TrimPrefix(name, "/") // "docker inspect" shows "/web", and scripts send it back
	return name, ok && name != ""
}
