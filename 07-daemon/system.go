package daemon

import (
	"cmp"
	"io"
	"net/http"
	"runtime"
)

func (s *Server) systemRoutes() []route {
	table := []route{
		{Method: "GET", Path: "/_ping", Handle: s.ping},
		{Method: "HEAD", Path: "/_ping", Handle: s.ping},
	}
	if s.engine.System != nil {
		table = append(table,
			route{Method: "GET", Path: "/info", Handle: s.info},
			route{Method: "GET", Path: "/version", Handle: s.version})
	}
	return table
}

// ping is the first thing that a client asks. The answer is in the headers, see setHeaders.
func (s *Server) ping(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Builder-Version", "1") // the classic builder: there is no BuildKit here
	h.Set("Swarm", "inactive")
	h.Set("Cache-Control", "no-cache, no-store, must-revalidate")
	h.Set("Pragma", "no-cache")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	if r.Method == http.MethodHead {
		h.Set("Content-Length", "0")
		return nil
	}
	_, err := io.WriteString(w, "OK")
	return err
}

func (s *Server) info(w http.ResponseWriter, r *http.Request) error {
	info, err := s.engine.System.Info(r.Context())
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, info)
}

func (s *Server) version(w http.ResponseWriter, r *http.Request) error {
	v, err := s.engine.System.Version(r.Context())
	if err != nil {
		return err
	}
	v.APIVersion = cmp.Or(v.APIVersion, MaxVersion.String())
	v.MinAPIVersion = cmp.Or(v.MinAPIVersion, MinVersion.String())
	v.Os = cmp.Or(v.Os, runtime.GOOS)
	v.Arch = cmp.Or(v.Arch, runtime.GOARCH)
	v.GoVersion = cmp.Or(v.GoVersion, runtime.Version())
	return reply(w, http.StatusOK, v)
}
