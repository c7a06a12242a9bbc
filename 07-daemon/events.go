package daemon

import (
	"net/http"

	"github.com/moby/moby/api/types"
)

func (s *Server) eventRoutes() []route {
	if s.engine.Events == nil {
		return nil
	}
	return []route{{Method: "GET", Path: "/events", Handle: s.events, Long: true}}
}

func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	filters, err := ParseFilters(query(r, "filters"))
	if err != nil {
		return err
	}
	o := EventOptions{Filters: filters}
	if o.Since, err = moment(r, "since"); err != nil {
		return err
	}
	if o.Until, err = moment(r, "until"); err != nil {
		return err
	}
	happened, err := s.engine.Events.Events(r.Context(), o)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", types.MediaTypeJSON)
	w.WriteHeader(http.StatusOK)
	if err := http.NewResponseController(w).Flush(); err != nil {
		return err
	}
	lines := &lineWriter{w: w, begun: true}
	for event, err := range happened {
		if err != nil {
			return err
		}
		if version(r).Less(Version{1, 52}) {
			lines.write(withOldFields(event))
		} else {
			lines.write(event)
		}
	}
	return nil
}
