package images

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Errors of what goes over the network.
var (
	ErrUnauthorized = errors.New("unauthorized")
	ErrPlainHTTP    = errors.New("plain HTTP refused")
	ErrSize         = errors.New("size mismatch") // more bytes than announced
)

const (
	hubHost       = "registry-1.docker.io" // where docker.io's API is
	documentLimit = 4 << 20                // bytes; distribution-spec: registries should take manifests as large
)

// acceptManifests is what can be read here. A registry that is not told so may
// answer with schema 1, retired in 2016.
var acceptManifests = fmt.Sprintf("%s, %s, %s, %s",
	types.OCIImageIndex, types.DockerManifestList, types.OCIManifestSchema1, types.DockerManifestSchema2)

// Registry says how registries are reached. The zero value speaks TLS with
// the system's certificates, and plain HTTP with loopback addresses only.
type Registry struct {
	Auth     authn.Authenticator  // nil: anonymous; see Credentials
	Insecure []string             // hosts, as in names ("10.0.0.1:5000"), that may be spoken to by plain HTTP
	CertsDir string               // HOST/*.crt in it are more roots to trust for that host: Docker's /etc/docker/certs.d
	Trace    func(*http.Response) // sees every answer, to show it; nil: nobody looks
}

// session is one repository at one registry, logged in to.
type session struct {
	ref    Reference
	root   string // https://HOST/v2/
	base   string // root and the repository: https://HOST/v2/PATH/
	client *http.Client
	close  func() // ends connections that are kept for the next request
}

// connect finds out how the registry is spoken to (scheme, kind of login) and
// logs in. scopes are what a token shall allow: "repository:PATH:pull".
func (r Registry) connect(ctx context.Context, ref Reference, scopes ...string) (*session, error) {
	host := ref.Domain
	if host == DefaultDomain {
		host = hubHost
	}
	var options []name.Option
	if slices.Contains(r.Insecure, host) {
		options = append(options, name.Insecure)
	}
	reg, err := name.NewRegistry(host, options...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrReference, err)
	}
	plain, err := r.transport(host)
	if err != nil {
		return nil, err
	}
	auth := r.Auth
	if auth == nil {
		auth = authn.Anonymous
	}
	root := reg.Scheme() + "://" + host + "/v2/"
	s := &session{ref: ref, root: root, base: root + ref.Path + "/", close: plain.CloseIdleConnections}
	// Requests through authed carry credentials to this host, and to no other.
	authed, err := transport.NewWithContext(ctx, reg, auth, plain, scopes)
	if err != nil {
		s.close()
		return nil, explain(err, ref)
	}
	s.client = &http.Client{Transport: authed}
	return s, nil
}

// answerTimeout is how long a registry may think before it begins to answer; a
// push of a large layer makes it think longest.
const answerTimeout = time.Minute

func (r Registry) transport(host string) (httpsOnly, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = answerTimeout
	t.DisableCompression = true // a digest is about the bytes as they are stored
	files, err := filepath.Glob(filepath.Join(r.CertsDir, host, "*.crt"))
	if r.CertsDir == "" || err != nil || len(files) == 0 {
		return httpsOnly{t, r}, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	for _, file := range files {
		pem, err := os.ReadFile(file)
		if err != nil {
			return httpsOnly{}, err
		}
		if !roots.AppendCertsFromPEM(pem) {
			return httpsOnly{}, fmt.Errorf("read certificate %s: there is none in it", file)
		}
	}
	t.TLSClientConfig = &tls.Config{RootCAs: roots}
	return httpsOnly{t, r}, nil
}

// httpsOnly refuses plain HTTP, be it to a registry, a token server, or where
// either redirects to, unless the host is this machine or allowed.
type httpsOnly struct {
	*http.Transport
	Registry
}

// RoundTrip is that of [http.RoundTripper].
func (h httpsOnly) RoundTrip(req *http.Request) (*http.Response, error) {
	ip := net.ParseIP(req.URL.Hostname())
	loopback := req.URL.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if req.URL.Scheme != "https" && !loopback && !slices.Contains(h.Insecure, req.URL.Host) {
		return nil, fmt.Errorf("%w: %s is neither this machine nor an insecure registry that was allowed", ErrPlainHTTP, req.URL.Host)
	}
	resp, err := h.Transport.RoundTrip(req)
	if err == nil && h.Trace != nil {
		h.Trace(resp)
	}
	return resp, err
}

// request is one request to a registry.
type request struct {
	method, path string      // "manifests/latest", "blobs/sha256:…", or a whole URL
	header       http.Header // nil: none
	body         upload      // zero: none
}

// send makes a request. An answer that is not a success is an error.
func (s *session) send(ctx context.Context, r request) (*http.Response, error) {
	if !strings.Contains(r.path, "://") {
		r.path = s.base + r.path
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.path, nil)
	if err != nil {
		return nil, err
	}
	if r.header != nil {
		req.Header = r.header
	}
	if r.body.file != "" {
		if req.Body, err = r.body.open(); err != nil {
			return nil, err
		}
		req.GetBody, req.ContentLength = r.body.open, r.body.size
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, transport.CheckError(resp)
}

// document fetches a manifest or an index ("manifests/latest") or a config
// ("blobs/sha256:…"), and verifies it if it is asked for by its digest.
func (s *session) document(ctx context.Context, path string) (raw []byte, kind types.MediaType, err error) {
	err = retry(ctx, func() (bool, error) {
		resp, err := s.send(ctx, request{path: path, header: http.Header{"Accept": {acceptManifests}}})
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		kind = types.MediaType(resp.Header.Get("Content-Type"))
		if raw, err = io.ReadAll(io.LimitReader(resp.Body, documentLimit+1)); len(raw) > documentLimit {
			return false, fmt.Errorf("%w: %s has more than %d bytes", ErrSize, path, documentLimit)
		}
		return false, err
	})
	if err != nil {
		return nil, "", explain(err, s.ref)
	}
	if _, digest, _ := strings.Cut(path, "/"); digestRE(digest) {
		if err := checkDigest(digest, digestOf(raw)); err != nil {
			return nil, "", fmt.Errorf("get %s: %w", path, err)
		}
	}
	return raw, mediaType(kind, raw), nil
}

// explain puts what a registry answered into Docker's words.
func explain(err error, ref Reference) error {
	answer, ok := errors.AsType[*transport.Error](err)
	if !ok {
		return err
	}
	switch answer.StatusCode {
	case http.StatusNotFound:
		return fmt.Errorf("%w: manifest for %s not found: %w", ErrNotFound, ref.Familiar(), err)
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w: access to %s denied, repository does not exist or may require 'docker login': %w", ErrUnauthorized, ref.FamiliarName(), err)
	}
	return err
}

// A request that fails is repeated after a pause that grows: registries, and
// the ways to them, have bad moments. Whatever got further starts anew.
const (
	retries  = 5
	minPause = 200 * time.Millisecond
	maxPause = 5 * time.Second
)

func retry(ctx context.Context, try func() (progress bool, err error)) error {
	pause := minPause
	for n := 1; ; n++ {
		progress, err := try()
		if progress {
			n, pause = 1, minPause
		}
		if err == nil || n == retries || lasting(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
}

// lasting tells an error that will not go away by itself.
func lasting(err error) bool {
	if answer, ok := errors.AsType[*transport.Error](err); ok {
		return !answer.Temporary()
	}
	_, badCert := errors.AsType[*tls.CertificateVerificationError](err)
	return badCert || errors.Is(err, ErrPlainHTTP) || errors.Is(err, ErrSize) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
