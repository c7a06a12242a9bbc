package daemon

import (
	"context"
	"io"
	"net/http"

	"github.com/moby/moby/api/types/common"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
)

// Layers shows what images and containers consist of, and makes more of it.
type Layers interface {
	// History tells how an image was made, the newest step first. NotFound if it is not here.
	History(ctx context.Context, o HistoryOptions) ([]image.HistoryResponseItem, error)
	// Changes tells what a container has changed in its image's files.
	Changes(ctx context.Context, ref string) ([]container.FilesystemChange, error)
	// Commit makes an image of a container's changes and returns its ID.
	Commit(ctx context.Context, o CommitOptions) (id string, err error)
	// Export writes all files of a container, running or not, as a tar archive:
	// without those of its volumes. Nothing was written if it fails at once.
	Export(ctx context.Context, ref string, w io.Writer) error
}

// HistoryOptions says of which image.
type HistoryOptions struct {
	Ref      string
	Platform string // "" or "os/arch[/variant]"
}

// CommitOptions says what becomes of a container.
type CommitOptions struct {
	Ref     string            // the container
	Name    string            // of the image: "repository:tag"; "" = none
	Comment string            // for the history
	Author  string            // for the image
	Pause   bool              // freeze it meanwhile
	Changes []string          // instructions of a Dockerfile, applied to Config
	Config  *container.Config // what it sets takes the place of the container's; nil = nothing
}

func (s *Server) layerRoutes() []route {
	if s.engine.Layers == nil {
		return nil
	}
	return []route{
		{Method: "GET", Path: "/images/{name}/history", Handle: s.history},
		{Method: "GET", Path: "/containers/{name}/changes", Handle: s.changes},
		{Method: "GET", Path: "/containers/{name}/export", Handle: s.export},
		{Method: "POST", Path: "/commit", Handle: s.commit},
	}
}

func (s *Server) history(w http.ResponseWriter, r *http.Request) error {
	platform, err := platformOf(r)
	if err != nil {
		return err
	}
	steps, err := s.engine.Layers.History(r.Context(), HistoryOptions{Ref: name(r), Platform: platform})
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, orEmpty(steps))
}

func (s *Server) changes(w http.ResponseWriter, r *http.Request) error {
	changes, err := s.engine.Layers.Changes(r.Context(), name(r))
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, orEmpty(changes))
}

func (s *Server) commit(w http.ResponseWriter, r *http.Request) error {
	o := CommitOptions{
		Ref: query(r, "container"), Name: joinTag(query(r, "repo"), query(r, "tag")),
		Comment: query(r, "comment"), Author: query(r, "author"),
		Pause: query(r, "pause") == "" || flag(r, "pause"), Changes: r.URL.Query()["changes"],
	}
	if r.ContentLength != 0 {
		if err := decode(w, r, &o.Config); err != nil {
			return err
		}
	}
	id, err := s.engine.Layers.Commit(r.Context(), o)
	if err != nil {
		return err
	}
	return reply(w, http.StatusCreated, common.IDResponse{ID: id})
}

// joinTag is "repository:tag", and "" without a repository.
func joinTag(repository, tag string) string {
	if repository == "" || tag == "" {
		return repository
	}
	return repository + ":" + tag
}

func (s *Server) export(w http.ResponseWriter, r *http.Request) error {
	return download(w, func(out io.Writer) error { return s.engine.Layers.Export(r.Context(), name(r), out) })
}

// download answers with an archive. An error before its first byte has a status
// of its own; a later one cuts the connection, so that half an archive does not
// look whole.
func download(w http.ResponseWriter, write func(io.Writer) error) error {
	w.Header().Set("Content-Type", "application/x-tar")
	out := &begun{Writer: w}
	err := write(out)
	switch {
	case err == nil:
	case out.any:
		err = &halfError{err}
	default:
		w.Header().Del("Content-Type")
	}
	return err
}

// begun remembers whether anything was written.
type begun struct {
	io.Writer
	any bool
}

// Write writes.
func (b *begun) Write(p []byte) (int, error) {
	b.any = true
	return b.Writer.Write(p)
}

// halfError is what went wrong in the middle of an answer that has no room for an error.
type halfError struct{ error }

// Unwrap is the error itself.
func (h *halfError) Unwrap() error { return h.error }
