package images

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// splitDomainAlways takes what stands before the first slash for a registry.
//
// Caught by: a user
func splitDomainAlways(name string) (domain, path string) {
	domain, path, found := strings.Cut(name, "/")
	if !found {
		return DefaultDomain, officialPrefix + name
	}
	return domain, path
}

// splitDomainByDot knows one sign of a machine, and not the others.
//
// Caught by: a port
func splitDomainByDot(name string) (domain, path string) {
	domain, path, found := strings.Cut(name, "/")
	switch {
	case !found:
		return DefaultDomain, officialPrefix + name
	case strings.Contains(domain, "."):
		return domain, path
	}
	return DefaultDomain, name
}

// splitDomainLibrary forgets that docker.io can be named.
//
// Caught by: spelled out
func splitDomainLibrary(name string) (domain, path string) {
	domain, path, found := strings.Cut(name, "/")
	if !found {
		return DefaultDomain, officialPrefix + name
	}
	if !strings.ContainsAny(domain, ".:") && domain != "localhost" && strings.ToLower(domain) == domain {
		return DefaultDomain, name
	}
	return domain, path
}

// ChainIDWithout forgets what stands between the two.
//
// Caught by: on top of another
func ChainIDWithout(parent, diffID string) string {
	if parent == "" {
		return diffID
	}
	return digestOf([]byte(parent + diffID))
}

// ChainIDUpsideDown begins at the top.
//
// Caught by: on top of another
func ChainIDUpsideDown(parent, diffID string) string {
	if parent == "" {
		return diffID
	}
	return digestOf([]byte(diffID + " " + parent))
}

// ChainIDAlways hashes the lowest layer, too.
//
// Caught by: the lowest
func ChainIDAlways(parent, diffID string) string { return digestOf([]byte(parent + " " + diffID)) }

// chooseNewest takes the best that there is, whoever asks.
//
// Caught by: no newer one
func chooseNewest(rawIndex []byte, want v1.Platform) (best v1.Descriptor, err error) {
	for _, variant := range []string{"v8", "v7", "v6", "v5", ""} {
		best, err = chooseBy(rawIndex, func(have v1.Platform) bool {
			return have.OS == want.OS && have.Architecture == want.Architecture && have.Variant == variant
		})
		if err == nil {
			return best, nil
		}
	}
	return best, err
}

// chooseEqual wants the very platform that was asked for.
//
// Caught by: an older one
func chooseEqual(rawIndex []byte, want v1.Platform) (best v1.Descriptor, err error) {
	return chooseBy(rawIndex, func(have v1.Platform) bool {
		return have.OS == want.OS && have.Architecture == want.Architecture && level(have) == level(want)
	})
}

// chooseSameText compares variants as they are written.
//
// Caught by: the usual variant
func chooseSameText(rawIndex []byte, want v1.Platform) (best v1.Descriptor, err error) {
	best, err = chooseBy(rawIndex, func(have v1.Platform) bool {
		return have.OS == want.OS && have.Architecture == want.Architecture && have.Variant == want.Variant
	})
	if err != nil && want.Variant == "v7" {
		want.Variant = "v6"
		return chooseSameText(rawIndex, want)
	}
	return best, err
}

func chooseBy(rawIndex []byte, fits func(v1.Platform) bool) (best v1.Descriptor, err error) {
	var index v1.IndexManifest
	if err := json.Unmarshal(rawIndex, &index); err != nil {
		return best, err
	}
	for _, d := range index.Manifests {
		if d.Platform != nil && fits(*d.Platform) {
			return d, nil
		}
	}
	return best, fmt.Errorf("%w: none in the index", ErrNotFound)
}

// ReadAfterwards tells the truth when nobody listens any more.
//
// Caught by: kept
func (v *verified) ReadAfterwards(p []byte) (int, error) {
	n, err := v.Reader.Read(p)
	v.sum.Write(p[:n])
	if n == 0 && err == nil {
		return 0, checkDigest(v.layer.DiffID, sumOf(v.sum))
	}
	return n, err
}

// ReadBuffer hashes what there is room for, and not what came.
//
// Caught by: error
func (v *verified) ReadBuffer(p []byte) (int, error) {
	n, err := v.Reader.Read(p)
	v.sum.Write(p)
	if errors.Is(err, io.EOF) {
		return n, errors.Join(checkDigest(v.layer.DiffID, sumOf(v.sum)), err)
	}
	return n, err
}

// ReadAsSent compares with the digest of the packed layer.
//
// Caught by: error
func (v *verified) ReadAsSent(p []byte) (int, error) {
	n, err := v.Reader.Read(p)
	v.sum.Write(p[:n])
	if errors.Is(err, io.EOF) {
		if wrong := checkDigest(v.layer.Digest, sumOf(v.sum)); wrong != nil {
			return n, wrong
		}
	}
	return n, err
}

// ReadFirst reads all before it passes anything on.
//
// Caught by: while it arrives
func (v *verified) ReadFirst(p []byte) (int, error) {
	if _, whole := v.Reader.(*bytes.Reader); !whole {
		all, err := io.ReadAll(v.Reader)
		if err == nil {
			err = checkDigest(v.layer.DiffID, digestOf(all))
		}
		if err != nil {
			return 0, err
		}
		v.Reader = bytes.NewReader(all)
	}
	return v.Reader.Read(p)
}

// ReadVaguely says that something is wrong, and not what.
//
// Caught by: told error
func (v *verified) ReadVaguely(p []byte) (int, error) {
	n, err := v.Reader.Read(p)
	v.sum.Write(p[:n])
	if errors.Is(err, io.EOF) && sumOf(v.sum) != v.layer.DiffID {
		return n, errors.New("bad layer")
	}
	return n, err
}

// blobAgain begins anew, as if nothing were there.
//
// Caught by: a bad line
func (s *session) blobAgain(ctx context.Context, l Layer, _ int64) (io.ReadCloser, error) {
	return s.ask(ctx, l, http.Header{})
}

// blobWhole has everything sent again, and throws away what is there.
//
// Caught by: nothing twice
func (s *session) blobWhole(ctx context.Context, l Layer, at int64) (io.ReadCloser, error) {
	body, err := s.ask(ctx, l, http.Header{})
	if err == nil {
		_, err = io.CopyN(io.Discard, body, at)
	}
	return body, err
}

// blobTrusting takes for granted that everybody knows ranges.
//
// Caught by: a registry without ranges
func (s *session) blobTrusting(ctx context.Context, l Layer, at int64) (io.ReadCloser, error) {
	header := http.Header{}
	if at > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", at, l.Size-1))
	}
	return s.ask(ctx, l, header)
}

func (s *session) ask(ctx context.Context, l Layer, header http.Header) (io.ReadCloser, error) {
	resp, err := s.get(ctx, s.ref.Path+"/blobs/"+l.Digest, header)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// RoundTripAlways believes in the good in everybody.
//
// Caught by: told error
func (h httpsOnly) RoundTripAlways(req *http.Request) (*http.Response, error) {
	resp, err := h.Transport.RoundTrip(req)
	if err == nil && h.Trace != nil {
		h.Trace(resp)
	}
	return resp, err
}

// RoundTripByName knows only one of this machine's names.
//
// Caught by: error
func (h httpsOnly) RoundTripByName(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && req.URL.Hostname() != "localhost" && !h.insecure(req.URL.Host) {
		return nil, fmt.Errorf("%w: %s", ErrPlainHTTP, req.URL.Host)
	}
	return h.RoundTripAlways(req)
}

// RoundTripPrivate takes every private address for a friend.
//
// Caught by: told error
func (h httpsOnly) RoundTripPrivate(req *http.Request) (*http.Response, error) {
	host := req.URL.Hostname()
	ip := net.ParseIP(host)
	if req.URL.Scheme != "https" && host != "localhost" && (ip == nil || !ip.IsLoopback() && !ip.IsPrivate()) && !h.insecure(req.URL.Host) {
		return nil, fmt.Errorf("%w: %s", ErrPlainHTTP, host)
	}
	return h.RoundTripAlways(req)
}

// RoundTripBlind shows nobody anything.
//
// Caught by: traced
func (h httpsOnly) RoundTripBlind(req *http.Request) (*http.Response, error) {
	host := req.URL.Hostname()
	ip := net.ParseIP(host)
	if req.URL.Scheme != "https" && host != "localhost" && (ip == nil || !ip.IsLoopback()) && !h.insecure(req.URL.Host) {
		return nil, fmt.Errorf("%w: %s", ErrPlainHTTP, host)
	}
	return h.Transport.RoundTrip(req)
}
