package daemon

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/api/types/registry"
)

// Transfer moves images to registries, and to and from archives. What is
// called progress is as in Images.Pull.
type Transfer interface {
	// Push sends an image to the registry that its name says. NotFound if it is not here.
	Push(ctx context.Context, o PushOptions, progress func(jsonstream.Message)) error
	// Login checks credentials with a registry; Unauthorized if they are wrong.
	Login(ctx context.Context, auth registry.AuthConfig) (registry.AuthResponse, error)
	// Save writes images as one archive. NotFound, and nothing written, if one of them is not here.
	Save(ctx context.Context, o SaveOptions, w io.Writer) error
	// Load adds the images of an archive, or nothing if it is none: Invalid.
	Load(ctx context.Context, o LoadOptions, progress func(jsonstream.Message)) error
	// Import makes an image of an archive of files and returns its ID.
	Import(ctx context.Context, o ImportOptions) (id string, err error)
}

// PushOptions says what to send, and as whom.
type PushOptions struct {
	Ref      string // "repository:tag", as the user wrote it
	AllTags  bool   // every tag of the repository; Ref is then the repository alone
	Platform string // "" or "os/arch[/variant]"
	Auth     registry.AuthConfig
}

// SaveOptions says what to put into an archive.
type SaveOptions struct {
	Refs     []string // a repository without a tag stands for all of its tags
	Platform string   // "" or "os/arch[/variant]"
}

// LoadOptions says what to take from an archive.
type LoadOptions struct {
	Archive  io.Reader // docker-archive or OCI layout, packed or not
	Platform string    // "" or "os/arch[/variant]"
	Quiet    bool      // names only
}

// ImportOptions says what becomes of an archive of files.
type ImportOptions struct {
	Archive  io.Reader // tar, packed or not; nil = from Source
	Source   string    // "-", or an http:// or https:// address
	Name     string    // of the image: "repository:tag"; "" = none
	Message  string    // for the history
	Changes  []string  // instructions of a Dockerfile, applied to an empty configuration
	Platform string    // "" or "os/arch[/variant]"
}

func (s *Server) transferRoutes() []route {
	if s.engine.Transfer == nil {
		return nil
	}
	return []route{
		{Method: "POST", Path: "/auth", Handle: s.login},
		{Method: "POST", Path: "/images/{name}/push", Handle: s.push},
		{Method: "GET", Path: "/images/{name}/get", Handle: s.saveOne},
		{Method: "GET", Path: "/images/get", Handle: s.save},
		{Method: "POST", Path: "/images/load", Handle: s.load},
	}
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) error {
	var auth registry.AuthConfig
	if err := decode(w, r, &auth); err != nil {
		return err
	}
	done, err := s.engine.Transfer.Login(r.Context(), auth)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, done)
}

func (s *Server) push(w http.ResponseWriter, r *http.Request) error {
	platform, err := platformOf(r)
	if err != nil {
		return err
	}
	tag := query(r, "tag")
	o := PushOptions{Ref: joinTag(name(r), tag), AllTags: tag == "", Platform: platform, Auth: credentials(r)}
	return streamProgress(w, func(progress func(jsonstream.Message)) error {
		return s.engine.Transfer.Push(r.Context(), o, progress)
	})
}

// credentials are in a header, as JSON in base64url. What cannot be read is no
// credential: public images need none.
func credentials(r *http.Request) registry.AuthConfig {
	auth, err := authconfig.Decode(r.Header.Get(registry.AuthHeader))
	if err != nil {
		return registry.AuthConfig{}
	}
	return *auth
}

// platformOf reads --platform of all but pull and create, for which it is plain
// text: {"os":"linux","architecture":"arm64"}.
func platformOf(r *http.Request) (string, error) {
	text := query(r, "platform")
	if text == "" {
		return "", nil
	}
	var p struct{ OS, Architecture, Variant string }
	if err := json.Unmarshal([]byte(text), &p); err != nil || p.OS == "" || p.Architecture == "" {
		return "", Errorf(Invalid, "failed to parse platform %q: want a JSON object with os and architecture", text)
	}
	return strings.TrimSuffix(p.OS+"/"+p.Architecture+"/"+p.Variant, "/"), nil
}

func (s *Server) saveOne(w http.ResponseWriter, r *http.Request) error {
	return s.archive(w, r, []string{name(r)})
}

func (s *Server) save(w http.ResponseWriter, r *http.Request) error {
	return s.archive(w, r, r.URL.Query()["names"])
}

func (s *Server) archive(w http.ResponseWriter, r *http.Request, refs []string) error {
	platform, err := platformOf(r)
	if err != nil {
		return err
	}
	if len(refs) == 0 {
		return Errorf(Invalid, "no image to save: names is empty")
	}
	return download(w, func(out io.Writer) error {
		return s.engine.Transfer.Save(r.Context(), SaveOptions{Refs: refs, Platform: platform}, out)
	})
}

func (s *Server) load(w http.ResponseWriter, r *http.Request) error {
	platform, err := platformOf(r)
	if err != nil {
		return err
	}
	o := LoadOptions{Archive: r.Body, Platform: platform, Quiet: flag(r, "quiet")}
	return streamProgress(w, func(progress func(jsonstream.Message)) error {
		return s.engine.Transfer.Load(r.Context(), o, progress)
	})
}

// importImage makes an image of the body, or of what is found at an address.
func (s *Server) importImage(w http.ResponseWriter, r *http.Request) error {
	o := ImportOptions{
		Source: query(r, "fromSrc"), Name: joinTag(query(r, "repo"), query(r, "tag")), Message: query(r, "message"),
		Changes: r.URL.Query()["changes"], Platform: query(r, "platform"),
	}
	if o.Source == "-" {
		o.Archive = r.Body
	}
	return streamProgress(w, func(progress func(jsonstream.Message)) error {
		id, err := s.engine.Transfer.Import(r.Context(), o)
		if err == nil {
			progress(jsonstream.Message{Status: id})
		}
		return err
	})
}
