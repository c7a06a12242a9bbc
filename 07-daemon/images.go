package daemon

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/moby/moby/api/types/jsonstream"
)

func (s *Server) imageRoutes() []route {
	if s.engine.Images == nil {
		return nil
	}
	return []route{
		{Method: "GET", Path: "/images/json", Handle: s.imageList},
		{Method: "GET", Path: "/images/{name}/json", Handle: s.imageInspect},
		{Method: "POST", Path: "/images/create", Handle: s.createImage},
		{Method: "POST", Path: "/images/{name}/tag", Handle: s.tag},
		{Method: "DELETE", Path: "/images/{name}", Handle: s.imageRemove},
	}
}

func (s *Server) imageList(w http.ResponseWriter, r *http.Request) error {
	filters, err := ParseFilters(query(r, "filters"))
	if err != nil {
		return err
	}
	found, err := s.engine.Images.List(r.Context(), ImageListOptions{
		All: flag(r, "all"), Digests: flag(r, "digests"), SharedSize: flag(r, "shared-size"), Filters: filters,
	})
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, orEmpty(found))
}

func (s *Server) imageInspect(w http.ResponseWriter, r *http.Request) error {
	img, err := s.engine.Images.Inspect(r.Context(), name(r))
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, img)
}

// create pulls an image or, with the parameter fromSrc, imports one.
func (s *Server) createImage(w http.ResponseWriter, r *http.Request) error {
	if query(r, "fromSrc") == "" {
		return s.pull(w, r)
	}
	if s.engine.Transfer == nil {
		return Errorf(NotImplemented, "importing an image is not supported by this engine")
	}
	return s.importImage(w, r)
}

func (s *Server) pull(w http.ResponseWriter, r *http.Request) error {
	o, err := pullOptions(r)
	if err != nil {
		return err
	}
	return streamProgress(w, func(progress func(jsonstream.Message)) error {
		return s.engine.Images.Pull(r.Context(), o, progress)
	})
}

func pullOptions(r *http.Request) (PullOptions, error) {
	from, tag := query(r, "fromImage"), query(r, "tag")
	if from == "" {
		return PullOptions{}, Errorf(Invalid, "neither fromImage nor fromSrc says which image")
	}
	o := PullOptions{Platform: query(r, "platform"), Auth: credentials(r)}
	o.Ref, o.AllTags = joinReference(from, tag)
	return o, nil
}

// joinReference puts together what the client took apart: "alpine" and "3.20" are
// alpine:3.20; with "sha256:…" for a tag, it is alpine@sha256:… that was meant.
func joinReference(from, tag string) (ref string, allTags bool) {
	at := strings.Contains(from, "@")
	colon := strings.LastIndexByte(from, ':')
	tagged := colon > strings.LastIndexByte(from, '/') // not the port of a registry
	switch {
	case at || tag == "" && tagged:
		return from, false
	case tag == "":
		return from, true
	case tagged:
		from = from[:colon] // the parameter takes precedence
	}
	if strings.Contains(tag, ":") {
		return from + "@" + tag, false
	}
	return from + ":" + tag, false
}

// streamProgress answers with one JSON object for each line of progress. An error before
// the first line has a status of its own; after it, the status was sent, and the
// error is the last line.
func streamProgress(w http.ResponseWriter, do func(progress func(jsonstream.Message)) error) error {
	lines := &lineWriter{w: w}
	err := do(func(m jsonstream.Message) { lines.write(progressLine{Message: m}) })
	if err != nil && lines.begun {
		lines.write(failureLine(err))
	}
	return err
}

// progressLine is a line of progress with the fields that old clients read.
type progressLine struct {
	jsonstream.Message
	Detail   *errorDetail `json:"errorDetail,omitempty"` // goes before Message's own
	OldError string       `json:"error,omitempty"`       // before errorDetail; some clients know only this
}

// errorDetail is an error in a stream, and where it is explained.
type errorDetail struct {
	jsonstream.Error
	ID      string `json:"id,omitempty"`
	Chapter string `json:"chapter,omitempty"`
}

func failureLine(err error) progressLine {
	topic := TopicOf(err)
	return progressLine{
		Detail:   &errorDetail{jsonstream.Error{Code: Status(err), Message: err.Error()}, topic.ID, topic.Chapter},
		OldError: err.Error(),
	}
}

// lineWriter writes JSON values and lets each out at once.
type lineWriter struct {
	w     http.ResponseWriter
	begun bool
}

func (l *lineWriter) write(v any) {
	if !l.begun {
		l.w.Header().Set("Content-Type", "application/json")
		l.begun = true
	}
	// A client that went away ends the request's context, and so the pull.
	_ = json.NewEncoder(l.w).Encode(v)
	_ = http.NewResponseController(l.w).Flush()
}

func (s *Server) tag(w http.ResponseWriter, r *http.Request) error {
	repo, tag := query(r, "repo"), query(r, "tag")
	if repo == "" {
		return Errorf(Invalid, "invalid reference format: repository name is empty")
	}
	if tag != "" {
		repo += ":" + tag
	}
	if err := s.engine.Images.Tag(r.Context(), name(r), repo); err != nil {
		return err
	}
	w.WriteHeader(http.StatusCreated)
	return nil
}

func (s *Server) imageRemove(w http.ResponseWriter, r *http.Request) error {
	o := ImageRemoveOptions{Force: flag(r, "force"), NoPrune: flag(r, "noprune")}
	removed, err := s.engine.Images.Remove(r.Context(), name(r), o)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, orEmpty(removed))
}
