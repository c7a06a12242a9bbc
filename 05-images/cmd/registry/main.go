// Registry is a registry for the demonstrations of this chapter: it keeps its
// blobs in memory, speaks plain HTTP on a loopback address, and has one image
// for two platforms, demo/hello:1. No network is needed.
//
//	registry [ADDRESS]      default 127.0.0.1:5000
package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func main() {
	address := "127.0.0.1:5000"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	if err := serve(address); err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

func serve(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() {
		failed <- http.Serve(listener, registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	}()
	tag, err := name.NewTag(listener.Addr().String() + "/demo/hello:1")
	if err != nil {
		return err
	}
	index, err := hello()
	if err != nil {
		return err
	}
	if err := remote.Push(tag, index); err != nil {
		return err
	}
	fmt.Println("serving", tag)
	return <-failed
}

// hello is the image, for two platforms. The first layer is the same in both,
// so a registry has it once.
func hello() (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	base, err := layer(map[string]string{"etc/os-release": "NAME=demo\n"})
	if err != nil {
		return nil, err
	}
	for _, arch := range []string{"amd64", "arm64"} {
		top, err := layer(map[string]string{"hello": "hello from " + arch + "\n"})
		if err != nil {
			return nil, err
		}
		img, err := image(arch, base, top)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	return index, nil
}

func image(arch string, layers ...v1.Layer) (v1.Image, error) {
	img, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layers...)
	if err != nil {
		return nil, err
	}
	return mutate.ConfigFile(img, &v1.ConfigFile{
		OS: "linux", Architecture: arch, Created: v1.Time{Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
		Config: v1.Config{Cmd: []string{"cat", "/hello"}},
		RootFS: v1.RootFS{Type: "layers", DiffIDs: diffIDs(layers)},
	})
}

func diffIDs(layers []v1.Layer) (ids []v1.Hash) {
	for _, l := range layers {
		id, _ := l.DiffID() // it is in memory
		ids = append(ids, id)
	}
	return ids
}

func layer(files map[string]string) (v1.Layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for file, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: file, Mode: 0o644, Size: int64(len(content))}); err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(content)); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
}
