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
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

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
	ErrSize         = errors.New("size mismatch") // more bytes than announced, or fewer
)

const (
	hubHost       = "registry-1.docker.io" // where docker.io's API is
	documentLimit = 4 << 20                // bytes; distribution-spec: registries should take manifests as large
)

// Registry says how registries are reached. The zero value speaks TLS with
// the system's certificates, and plain HTTP with loopback addresses only.
type Registry struct {
	Auth     authn.Authenticator  // nil: anonymous
	Insecure []string             // hosts, as in names ("10.0.0.1:5000"), or ranges ("10.0.0.0/8"), for which plain HTTP, or any certificate, will do
	CertsDir string               // HOST/*.crt in it are more roots to trust for that host: Docker's /etc/docker/certs.d
	Mirrors  []string             // hosts that may have what docker.io has, asked before it, without credentials
	Trace    func(*http.Response) // sees every answer, to show it; nil: nobody looks
}

// silence is how long a connection may be silent. What if it just died, with no
// one left to say so? Without this, the download would wait for ever; so, it is
// continued over a new one. A push of a large layer makes a registry think longest.
var silence = time.Minute

// watched is a connection that breaks when nothing moves on it.
type watched struct{ net.Conn }

// Read is that of [net.Conn].
func (w watched) Read(p []byte) (int, error) {
	_ = w.SetDeadline(time.Now().Add(silence))
	return w.Conn.Read(p)
}

// Write is that of [net.Conn].
func (w watched) Write(p []byte) (int, error) {
	_ = w.SetDeadline(time.Now().Add(silence))
	return w.Conn.Write(p)
}

func (r Registry) transport(host string) (httpsOnly, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		return watched{c}, err
	}
	t.DisableCompression = true // a digest is about the bytes as they are stored
	roots, err := r.roots(host)
	t.TLSClientConfig = &tls.Config{RootCAs: roots, InsecureSkipVerify: r.insecure(host)} //nolint:gosec // it was asked for
	return httpsOnly{t, r}, err
}

// roots are the certificates that are trusted for a host; nil: the system's.
func (r Registry) roots(host string) (*x509.CertPool, error) {
	files, err := filepath.Glob(filepath.Join(r.CertsDir, host, "*.crt"))
	if r.CertsDir == "" || len(files) == 0 {
		return nil, err
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
			return nil, fmt.Errorf("read certificate %s: there is none in it", file)
		}
	}
	return roots, nil
}

// insecure tells whether a host was allowed by its name, or by its address.
func (r Registry) insecure(host string) bool {
	address, err := netip.ParseAddrPort(host)
	ip := address.Addr()
	if err != nil {
		ip, _ = netip.ParseAddr(host)
	}
	return slices.ContainsFunc(r.Insecure, func(allowed string) bool {
		ips, err := netip.ParsePrefix(allowed)
		return allowed == host || err == nil && ips.Contains(ip)
	})
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
	if req.URL.Scheme != "https" && !loopback && !h.insecure(req.URL.Host) {
		return nil, fmt.Errorf("%w: %s is neither this machine nor an insecure registry that was allowed", ErrPlainHTTP, req.URL.Host)
	}
	resp, err := h.Transport.RoundTrip(req)
	if err == nil && h.Trace != nil {
		h.Trace(resp)
	}
	return resp, err
}

// session is one repository at one registry, logged in to.
type session struct {
	ref    Reference
	repo   name.Repository
	authed http.RoundTripper // carries credentials to this host, and to no other
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
	options := map[bool][]name.Option{true: {name.Insecure}}[r.insecure(host)]
	reg, err := name.NewRegistry(host, options...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrReference, err)
	}
	plain, err := r.transport(host)
	if err != nil {
		return nil, err
	}
	if r.Auth == nil {
		r.Auth = authn.Anonymous
	}
	s := &session{ref: ref, repo: reg.Repo(ref.Path), close: plain.CloseIdleConnections}
	if s.authed, err = transport.NewWithContext(ctx, reg, r.Auth, plain, scopes); err != nil {
		s.close()
		return nil, explain(err, ref)
	}
	s.client = &http.Client{Transport: s.authed}
	return s, nil
}

// Login checks the credentials in r with a registry ("docker.io",
// "127.0.0.1:5000"). The error wraps [ErrUnauthorized] if they are wrong.
func (r Registry) Login(ctx context.Context, domain string) error {
	s, err := r.connect(ctx, Reference{Domain: domain})
	if err == nil {
		defer s.close()
		var resp *http.Response
		if resp, err = s.get(ctx, "", http.Header{}); err == nil {
			return resp.Body.Close()
		}
	}
	return fmt.Errorf("login to %s: %w", domain, err)
}

// get asks for what has this path below "/v2/".
func (s *session) get(ctx context.Context, path string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.repo.Scheme()+"://"+s.repo.RegistryStr()+"/v2/"+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header = header
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	if err := transport.CheckError(resp, http.StatusOK, http.StatusPartialContent); err != nil {
		resp.Body.Close()
		return nil, explain(err, s.ref)
	}
	return resp, nil
}

// blob opens a connection that brings a layer's blob from the byte at to its end
// (RFC 9110, 14.2).
func (s *session) blob(ctx context.Context, l Layer, at int64) (io.ReadCloser, error) {
	header := http.Header{}
	if at > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", at, l.Size-1))
	}
	resp, err := s.get(ctx, s.ref.Path+"/blobs/"+l.Digest, header)
	if err != nil {
		return nil, err
	}
	skip, whole := int64(0), at+resp.ContentLength
	if resp.StatusCode == http.StatusOK { // a registry need not know ranges
		skip, whole = at, resp.ContentLength
	}
	if resp.ContentLength >= 0 && whole != l.Size {
		err = fmt.Errorf("%w: %d bytes, not %d", ErrSize, whole, l.Size)
	} else {
		_, err = io.CopyN(io.Discard, resp.Body, skip)
	}
	if err != nil {
		return nil, errors.Join(err, resp.Body.Close())
	}
	return resp.Body, nil
}

// anyDigest is that of a document of which only a tag is known.
var anyDigest = v1.Hash{Algorithm: "sha256"}

// document fetches a manifest, an index or a config, and verifies what want
// says of it: its digest, and its size unless that is 0. A registry that is not
// told what can be read may answer with schema 1, retired in 2016.
func (s *session) document(ctx context.Context, path string, want v1.Descriptor) (raw []byte, err error) {
	header := http.Header{}
	if strings.HasPrefix(path, "manifests/") {
		header.Set("Accept", fmt.Sprintf("%s, %s, %s, %s",
			types.OCIImageIndex, types.DockerManifestList, types.OCIManifestSchema1, types.DockerManifestSchema2))
	}
	for pause := pauses; ; {
		var resp *http.Response
		if resp, err = s.get(ctx, s.ref.Path+"/"+path, header); err == nil {
			raw, err = io.ReadAll(io.LimitReader(resp.Body, documentLimit+1))
			resp.Body.Close()
		}
		if !again(ctx, &pause, err) {
			break
		}
	}
	size := int64(len(raw))
	switch {
	case err == nil && (size > documentLimit || want.Size > 0 && size != want.Size):
		err = fmt.Errorf("%w: %d bytes or more", ErrSize, size)
	case err == nil && want.Digest != anyDigest:
		err = checkDigest(want.Digest.String(), digestOf(raw))
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", path, err)
	}
	return raw, nil
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

// pauses lie between attempts: registries, and the ways to them, have bad moments.
var pauses = transport.Backoff{Duration: 200 * time.Millisecond, Factor: 2.5, Jitter: 0.1, Steps: 5}

// again waits before another attempt, if the error may go away by itself.
func again(ctx context.Context, pause *transport.Backoff, err error) bool {
	_, network := errors.AsType[*net.OpError](err)
	passing := network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	if answer, ok := errors.AsType[*transport.Error](err); ok {
		passing = answer.Temporary()
	}
	if !passing || pause.Steps == 1 {
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause.Step()):
		return true
	}
}
