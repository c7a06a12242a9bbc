package exercises

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	images "cutaway/05-images"
	"cutaway/chapters/exercise"
)

// place is a registry in this process.
type place struct {
	g    *exercise.G
	host string // "127.0.0.1:PORT"
	mu   sync.Mutex
	// meddle may answer instead of the registry: then it returns true.
	meddle func(w http.ResponseWriter, r *http.Request) bool
}

func newPlace(g *exercise.G) *place {
	p := &place{g: g}
	quiet := log.New(io.Discard, "", 0)
	inner := registry.New(registry.Logger(quiet))
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		meddle := p.meddle
		p.mu.Unlock()
		if meddle == nil || !meddle(w, r) {
			inner.ServeHTTP(w, r)
		}
	}))
	srv.Config.ErrorLog = quiet
	srv.Start()
	g.Cleanup(srv.Close)
	p.host = strings.TrimPrefix(srv.URL, "http://")
	return p
}

func (p *place) set(meddle func(w http.ResponseWriter, r *http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.meddle = meddle
}

// push puts an image or an index there.
func (p *place) push(path string, what remote.Taggable) images.Reference {
	tag, err := name.NewTag(p.host + "/" + path)
	p.g.Must(err)
	p.g.Must(remote.Push(tag, what))
	ref := images.Reference{Domain: p.host, Path: path, Tag: images.DefaultTag}
	return ref
}

// pull brings it into a new store.
func pull(g *exercise.G, ref images.Reference, o images.PullOptions) (images.Image, error) {
	s, err := images.OpenStore(g.TempDir())
	g.Must(err)
	ctx, cancel := context.WithTimeout(g.Context(), 15*time.Second)
	defer cancel()
	return s.Pull(ctx, ref, o)
}

// archive is a tar of one file.
func archive(g *exercise.G, file string, content []byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	g.Must(w.WriteHeader(&tar.Header{Name: file, Mode: 0o644, Size: int64(len(content))}))
	_, err := w.Write(content)
	g.Must(err)
	g.Must(w.Close())
	return b.Bytes()
}

// image makes an image with one packed layer.
func image(g *exercise.G, content []byte) v1.Image {
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
	g.Must(err)
	img, err := mutate.AppendLayers(empty.Image, layer)
	g.Must(err)
	return img
}

// shelf is an Unpacker: it keeps what it was given to the end, and knows how it ended.
type shelf struct {
	kept map[string][]byte // by ChainID
	read int               // bytes, of all layers
}

func (s *shelf) Has(id string) bool { return s.kept[id] != nil }

func (s *shelf) Apply(id, _ string, r io.Reader) (int64, error) {
	content, err := io.ReadAll(r)
	s.read += len(content)
	if err == nil {
		s.kept[id] = content
	}
	return int64(len(content)), err
}
