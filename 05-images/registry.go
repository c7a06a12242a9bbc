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
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Errors of what goes over the network.
var (
	ErrUnauthorized = errors.New("unauthorized")
	ErrPlainHTTP    = errors.New("plain HTTP refused")
)

const (
	hubHost       = "registry-1.docker.io" // where docker.io's API is
	manifestLimit = 4 << 20                // bytes; distribution-spec: registries may refuse larger ones
)

// acceptManifests is the Accept header of a request for a manifest: all that
// can be read here. Without it, some registries answer with schema 1.
var acceptManifests = []string{
	string(types.OCIImageIndex), string(types.DockerManifestList),
	string(types.OCIManifestSchema1), string(types.DockerManifestSchema2),
}

// Registry says how registries are reached. The zero value speaks TLS with
// the system's certificates, and plain HTTP with loopback addresses only.
type Registry struct {
	Auth     authn.Authenticator // nil: anonymous
	Insecure []string            // hosts, as in names ("10.0.0.1:5000"), that may be spoken to by plain HTTP
	CertsDir string              // has HOST/*.crt, more roots to trust for that host: Docker's /etc/docker/certs.d
	Mirrors  []string            // hosts that are asked for docker.io's images first, without credentials
}

// session is one repository at one registry, logged in to.
type session struct {
	ref    Reference
	base   url.URL // https://HOST/v2/PATH
	client *http.Client
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
	auth := r.Auth
	if auth == nil {
		auth = authn.Anonymous
	}
	plain, err := r.transport(host)
	if err != nil {
		return nil, err
	}
	// From here on requests carry credentials, those to other hosts do not.
	authed, err := transport.NewWithContext(ctx, reg, auth, plain, scopes)
	if err != nil {
		return nil, explain(err, ref)
	}
	return &session{
		ref:    ref,
		base:   url.URL{Scheme: reg.Scheme(), Host: host, Path: "/v2/" + ref.Path + "/"},
		client: &http.Client{Transport: authed},
	}, nil
}

func (r Registry) transport(host string) (http.RoundTripper, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true // a blob's bytes are what its digest is about
	if r.CertsDir == "" {
		return httpsOnly{t, r.Insecure}, nil
	}
	files, err := filepath.Glob(filepath.Join(r.CertsDir, host, "*.crt"))
	if err != nil || len(files) == 0 {
		return httpsOnly{t, r.Insecure}, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	for _, file := range files {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read certificate %s: no PEM certificate in it", file)
		}
	}
	t.TLSClientConfig = &tls.Config{RootCAs: roots}
	return httpsOnly{t, r.Insecure}, nil
}

// httpsOnly refuses plain HTTP, be it a registry, a token server, or where
// either redirects to, unless the host is this machine or allowed.
type httpsOnly struct {
	*http.Transport
	allowed []string
}

func (h httpsOnly) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !isLoopback(req.URL.Hostname()) && !slices.Contains(h.allowed, req.URL.Host) {
		return nil, fmt.Errorf("%w: %s is not this machine, and not among the insecure registries", ErrPlainHTTP, req.URL.Host)
	}
	return h.Transport.RoundTrip(req)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// url is for "manifests/latest", "blobs/sha256:…", "blobs/uploads/".
func (s *session) url(path string) string { return s.base.String() + path }

// get asks for something; header holds pairs. The caller closes the body.
func (s *session) do(ctx context.Context, method, url string, header ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return s.client.Do(req)
}

// manifest fetches a manifest or an index by tag or digest. The digest in the
// descriptor is that of the bytes, whatever the registry says.
func (s *session) manifest(ctx context.Context, identifier string) (d v1.Descriptor, raw []byte, err error) {
	err = retry(ctx, func() (bool, error) {
		d, raw, err = s.getManifest(ctx, identifier)
		return false, err
	})
	return d, raw, explain(err, s.ref)
}

func (s *session) getManifest(ctx context.Context, identifier string) (d v1.Descriptor, raw []byte, err error) {
	resp, err := s.do(ctx, http.MethodGet, s.url("manifests/"+identifier), "Accept", strings.Join(acceptManifests, ", "))
	if err != nil {
		return d, nil, err
	}
	defer resp.Body.Close()
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		return d, nil, err
	}
	if raw, err = io.ReadAll(io.LimitReader(resp.Body, manifestLimit)); err != nil {
		return d, nil, err
	}
	digest := digestOf(raw)
	if digestRE.MatchString(identifier) {
		if digest = identifier; verify(digest, raw) != nil {
			return d, nil, fmt.Errorf("manifest: %w", verify(digest, raw))
		}
	}
	d.MediaType = mediaType(resp.Header.Get("Content-Type"), raw)
	d.Size = int64(len(raw))
	d.Digest, err = v1.NewHash(digest)
	return d, raw, err
}

// blob fetches a small blob, a config for one, and verifies it.
func (s *session) blob(ctx context.Context, d v1.Descriptor) (b []byte, err error) {
	if d.Size > manifestLimit {
		return nil, fmt.Errorf("%w: blob %s has %d bytes", ErrSize, d.Digest, d.Size)
	}
	err = retry(ctx, func() (bool, error) {
		resp, err := s.do(ctx, http.MethodGet, s.url("blobs/"+d.Digest.String()))
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		if err := transport.CheckError(resp, http.StatusOK); err != nil {
			return false, err
		}
		b, err = io.ReadAll(io.LimitReader(resp.Body, d.Size+1))
		return false, err
	})
	if err != nil {
		return nil, explain(err, s.ref)
	}
	return b, verify(d.Digest.String(), b)
}

// explain puts what a registry answered into Docker's words.
func explain(err error, ref Reference) error {
	var answer *transport.Error
	if !errors.As(err, &answer) {
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
