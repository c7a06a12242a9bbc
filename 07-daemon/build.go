package daemon

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/api/types/registry"
)

// Builder makes images of Dockerfiles.
type Builder interface {
	// Build reads o.Context to its end, builds, tags, and returns the image's ID.
	// It calls progress, from one goroutine at a time, with the lines that the
	// client shows. An error with a method ExitStatus() int is a command that
	// failed with that status. When ctx ends, nothing is left but what the steps
	// before have made.
	Build(ctx context.Context, o BuildOptions, progress func(jsonstream.Message)) (id string, err error)
	// PruneBuilds forgets what builds have left for the next one.
	PruneBuilds(ctx context.Context, o BuildPruneOptions) (build.CachePruneReport, error)
}

// BuildPruneOptions says how much is forgotten.
type BuildPruneOptions struct {
	All     bool // also the steps that led to images with a name
	Filters Filters
}

// BuildOptions is POST /build.
type BuildOptions struct {
	Context    io.Reader // a tar archive, packed or not
	Dockerfile string    // its name in the context
	Tags       []string  // names for the image
	Target     string    // the stage to end with; "" = the last one
	Platform   string    // of base images; "" or "os/arch[/variant]"
	Args       map[string]*string
	Labels     map[string]string
	NoCache    bool // do every step anew
	Pull       bool // ask the registry for newer base images
	Keep       BuildKeep
	Host       container.HostConfig           // limits and network of the containers
	Auths      map[string]registry.AuthConfig // by registry
}

// BuildKeep says which containers of a build stay.
type BuildKeep int

// What stays of a build's containers.
const (
	KeepFailed BuildKeep = iota // the one whose command failed
	KeepNone
	KeepAll
)

func (s *Server) buildRoutes() []route {
	if s.engine.Builder == nil {
		return nil
	}
	return []route{
		{Method: "POST", Path: "/build", Handle: s.build, Long: true},
		{Method: "POST", Path: "/build/prune", Handle: s.pruneBuilds},
	}
}

func (s *Server) pruneBuilds(w http.ResponseWriter, r *http.Request) error {
	filters, err := ParseFilters(query(r, "filters"))
	if err != nil {
		return err
	}
	report, err := s.engine.Builder.PruneBuilds(r.Context(), BuildPruneOptions{All: flag(r, "all"), Filters: filters})
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, report)
}

// build answers with one JSON object for each line, as pull does. Quiet, it says
// the ID alone, and what it would have said only if it fails.
func (s *Server) build(w http.ResponseWriter, r *http.Request) error {
	o, err := buildOptions(r)
	if err != nil {
		return err
	}
	lines := &lineWriter{w: w}
	out := func(m jsonstream.Message) { lines.write(progressLine{Message: m}) }
	var unsaid []jsonstream.Message
	if flag(r, "q") {
		out = func(m jsonstream.Message) { unsaid = append(unsaid, m) }
	}
	id, err := s.engine.Builder.Build(r.Context(), o, out)
	if err != nil {
		for _, m := range unsaid {
			lines.write(progressLine{Message: m})
		}
		if lines.begun {
			lines.write(buildFailure(err))
		}
		return err
	}
	aux, err := json.Marshal(build.Result{ID: id})
	if err != nil {
		return err
	}
	if flag(r, "q") {
		lines.write(jsonstream.Message{Stream: id + "\n"})
		return nil
	}
	lines.write(jsonstream.Message{Aux: (*json.RawMessage)(&aux)})
	lines.write(jsonstream.Message{Stream: "Successfully built " + shortID(id) + "\n"})
	for _, tag := range o.Tags {
		lines.write(jsonstream.Message{Stream: "Successfully tagged " + withTag(tag) + "\n"})
	}
	return nil
}

// shortID is how people see an ID: twelve digits.
func shortID(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(12, len(id))]
}

// withTag adds the tag that a name without one stands for.
func withTag(name string) string {
	if strings.LastIndexByte(name, ':') > strings.LastIndexByte(name, '/') {
		return name
	}
	return name + ":latest"
}

// buildFailure is the last line of a build that failed. Its code is the client's
// exit status, as far as that of the command goes.
func buildFailure(err error) progressLine {
	line := failureLine(err)
	line.Detail.Code = 1
	var failed interface{ ExitStatus() int }
	if errors.As(err, &failed) {
		line.Detail.Code = failed.ExitStatus()
	}
	return line
}

func buildOptions(r *http.Request) (BuildOptions, error) {
	o := BuildOptions{
		Context: r.Body, Dockerfile: query(r, "dockerfile"), Target: query(r, "target"), Platform: query(r, "platform"),
		NoCache: flag(r, "nocache"), Pull: flag(r, "pull"),
	}
	if o.Dockerfile == "" {
		o.Dockerfile = "Dockerfile"
	}
	for _, t := range r.URL.Query()["t"] {
		if t != "" {
			o.Tags = append(o.Tags, t)
		}
	}
	switch {
	case flag(r, "forcerm"):
		o.Keep = KeepNone
	case query(r, "rm") != "" && !flag(r, "rm"):
		o.Keep = KeepAll
	}
	if text := r.Header.Get("X-Registry-Config"); text != "" {
		data, err := base64.URLEncoding.DecodeString(text)
		if err == nil {
			err = json.Unmarshal(data, &o.Auths)
		}
		if err != nil {
			return o, Errorf(Invalid, "invalid X-Registry-Config: %w", err)
		}
	}
	return o, errors.Join(notInBuild(r), queryJSON(r, "buildargs", &o.Args), queryJSON(r, "labels", &o.Labels), buildLimits(r, &o.Host))
}

// queryJSON reads a parameter that is JSON, if it is there.
func queryJSON(r *http.Request, key string, v any) error {
	text := query(r, key)
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return Errorf(Invalid, "invalid %s %q: %w", key, text, err)
	}
	return nil
}

// notInBuild refuses what would have no effect here.
func notInBuild(r *http.Request) error {
	for _, p := range []struct{ key, none, why string }{
		{"version", "1", "this engine has the classic builder only, not BuildKit: set DOCKER_BUILDKIT=0"},
		{"remote", "", "send the context as the body; the engine fetches none"},
		{"squash", "0", "layers are not squashed: use a stage, and COPY from it"},
		{"outputs", "[]", "a build ends in an image of this engine, and nowhere else"},
		{"cachefrom", "[]", "other images are no cache here: what was built on this engine is"},
		{"session", "", "sessions are BuildKit's: set DOCKER_BUILDKIT=0"},
	} {
		switch v := query(r, p.key); v {
		case "", p.none, "null", "false":
		default:
			return Errorf(NotImplemented, "%s=%s: %s", p.key, v, p.why)
		}
	}
	return nil
}

// buildLimits reads what a build's containers may use.
func buildLimits(r *http.Request, h *container.HostConfig) error {
	var errs []error
	for key, to := range map[string]*int64{
		"memory": &h.Memory, "memswap": &h.MemorySwap, "cpushares": &h.CPUShares, "cpuperiod": &h.CPUPeriod, "cpuquota": &h.CPUQuota, "shmsize": &h.ShmSize,
	} {
		n, err := number(r, key)
		if n != nil {
			*to = int64(*n)
		}
		errs = append(errs, err)
	}
	h.CpusetCpus, h.CpusetMems, h.CgroupParent = query(r, "cpusetcpus"), query(r, "cpusetmems"), query(r, "cgroupparent")
	h.NetworkMode = container.NetworkMode(query(r, "networkmode"))
	h.Isolation = container.Isolation(query(r, "isolation"))
	h.ExtraHosts, h.SecurityOpt = r.URL.Query()["extrahosts"], r.URL.Query()["securityopt"]
	return errors.Join(append(errs, queryJSON(r, "ulimits", &h.Ulimits))...)
}
