package images_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cutaway/chapters/lab"

	images "cutaway/05-images"

	"github.com/google/go-containerregistry/pkg/compression"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { lab.Main(m, lab.RootOrSandbox) }

var quiet = log.New(io.Discard, "", 0)

const patience = 30 * time.Second

// server is a registry in this process, which keeps the log of its requests.
type server struct {
	host string // "127.0.0.1:PORT"
	mu   sync.Mutex
	log  []string
	// meddle may answer a request instead of the registry: then it returns true.
	meddle func(w http.ResponseWriter, r *http.Request) bool
}

func newServer(t *testing.T) *server {
	s := &server{}
	inner := registry.New(registry.Logger(quiet))
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.log = append(s.log, r.Method+" "+r.URL.Path)
		meddle := s.meddle
		s.mu.Unlock()
		if meddle == nil || !meddle(w, r) {
			inner.ServeHTTP(w, r)
		}
	}))
	srv.Config.ErrorLog = quiet
	srv.Start()
	t.Cleanup(srv.Close)
	s.host = strings.TrimPrefix(srv.URL, "http://")
	return s
}

// requests returns the requests so far that contain part, and forgets all.
func (s *server) requests(part string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := slices.DeleteFunc(s.log, func(l string) bool { return !strings.Contains(l, part) })
	s.log = nil
	return found
}

func (s *server) setMeddle(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meddle = f
}

// push puts an image or an index at the server, and returns its reference.
func (s *server) push(t *testing.T, path string, what remote.Taggable) images.Reference {
	t.Helper()
	ref, err := name.ParseReference(s.host + "/" + path)
	require.NoError(t, err)
	require.NoError(t, remote.Push(ref, what))
	s.requests("")
	return parse(t, s.host+"/"+path)
}

func parse(t *testing.T, familiar string) images.Reference {
	t.Helper()
	ref, err := images.ParseReference(familiar)
	require.NoError(t, err)
	return ref
}

func newStore(t *testing.T) *images.Store {
	t.Helper()
	return openStore(t, t.TempDir())
}

func openStore(t *testing.T, dir string) *images.Store {
	t.Helper()
	s, err := images.OpenStore(dir)
	require.NoError(t, err)
	return s
}

// tarOf makes a tar archive of "name=content" pairs.
func tarOf(files ...string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		file, content, _ := strings.Cut(f, "=")
		must(w.WriteHeader(&tar.Header{Name: file, Mode: 0o644, Size: int64(len(content))}))
		_, err := w.Write([]byte(content))
		must(err)
	}
	must(w.Close())
	return b.Bytes()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// layerOf packs a tar as "gzip", "zstd" or "none".
func layerOf(t *testing.T, pack compression.Compression, archive []byte) v1.Layer {
	t.Helper()
	kind := map[compression.Compression]types.MediaType{
		compression.GZip: types.OCILayer, compression.ZStd: types.OCILayerZStd, compression.None: types.OCIUncompressedLayer,
	}[pack]
	if pack == compression.None {
		return plainLayer(archive)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil },
		tarball.WithCompression(pack), tarball.WithMediaType(kind))
	require.NoError(t, err)
	return l
}

// plainLayer is a tar that is not compressed.
type plainLayer []byte

func (p plainLayer) Digest() (v1.Hash, error) {
	h, _, err := v1.SHA256(bytes.NewReader(p))
	return h, err
}
func (p plainLayer) DiffID() (v1.Hash, error)             { return p.Digest() }
func (p plainLayer) Compressed() (io.ReadCloser, error)   { return io.NopCloser(bytes.NewReader(p)), nil }
func (p plainLayer) Uncompressed() (io.ReadCloser, error) { return p.Compressed() }
func (p plainLayer) Size() (int64, error)                 { return int64(len(p)), nil }
func (p plainLayer) MediaType() (types.MediaType, error)  { return types.OCIUncompressedLayer, nil }

// imageOf makes an image for linux/amd64 of layers.
func imageOf(t *testing.T, layers ...v1.Layer) v1.Image {
	t.Helper()
	return imageFor(t, v1.Platform{OS: "linux", Architecture: "amd64"}, layers...)
}

func imageFor(t *testing.T, p v1.Platform, layers ...v1.Layer) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layers...)
	require.NoError(t, err)
	c, err := img.ConfigFile()
	require.NoError(t, err)
	c = c.DeepCopy()
	c.OS, c.Architecture, c.Variant = p.OS, p.Architecture, p.Variant
	img, err = mutate.ConfigFile(img, c)
	require.NoError(t, err)
	return img
}

// simple makes an image of gzip layers with one file each.
func simple(t *testing.T, files ...string) v1.Image {
	t.Helper()
	var layers []v1.Layer
	for _, f := range files {
		layers = append(layers, layerOf(t, compression.GZip, tarOf(f)))
	}
	return imageOf(t, layers...)
}

// noise is content that does not get smaller by compression, different for each seed.
func noise(seed, size int) string {
	b := make([]byte, size)
	x := uint32(seed)*2654435761 + 12345
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return string(b)
}

func id(t *testing.T, img v1.Image) string {
	t.Helper()
	h, err := img.ConfigName()
	require.NoError(t, err)
	return h.String()
}

// public is what users see of an image.
func public(i images.Image) []any {
	return []any{i.ID, i.Manifest, i.Names, i.Digests, i.Layers, i.Size}
}

// trees is an Unpacker that keeps layers in memory, and insists on its contract.
type trees struct {
	mu     sync.Mutex
	layers map[string]string // ChainID → its files and those below
	gate   chan struct{}     // nil, or what Apply waits for
}

func newTrees() *trees { return &trees{layers: map[string]string{}} }

func (u *trees) Has(id string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, ok := u.layers[id]
	return ok
}

func (u *trees) Apply(id, parent string, r io.Reader) (int64, error) {
	if u.gate != nil {
		<-u.gate
	}
	if parent != "" && !u.Has(parent) {
		return 0, errors.New("the parent is not there")
	}
	var b strings.Builder
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return 0, err
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			return 0, err
		}
		fmt.Fprintf(&b, "%s=%s\n", h.Name, content)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return 0, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.layers[id] = u.layers[parent] + b.String()
	return int64(b.Len()), nil
}

func (u *trees) tree(id string) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.layers[id]
}

// startedTrees tells when the first bytes of a layer were read.
type startedTrees struct {
	*trees
	started chan struct{}
}

func (u *startedTrees) Apply(id, parent string, r io.Reader) (int64, error) {
	var first [1]byte
	if _, err := io.ReadFull(r, first[:]); err != nil {
		return 0, err
	}
	close(u.started)
	return u.trees.Apply(id, parent, io.MultiReader(bytes.NewReader(first[:]), r))
}

// broken is an Unpacker that cannot.
type broken struct{}

func (broken) Has(string) bool                               { return false }
func (broken) Apply(_, _ string, _ io.Reader) (int64, error) { return 0, errDisk }
