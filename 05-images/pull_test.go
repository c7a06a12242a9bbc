package images_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	images "cutaway/05-images"

	"github.com/google/go-containerregistry/pkg/compression"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/require"
)

func pull(t *testing.T, s *images.Store, ref images.Reference, o images.PullOptions) (images.Image, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return s.Pull(ctx, ref, o)
}

func TestAPulledImageIsUnpackedInOrder(t *testing.T) {
	srv, dir, u := newServer(t), t.TempDir(), newTrees()
	img := imageOf(t, layerOf(t, compression.GZip, tarOf("a=1")), layerOf(t, compression.ZStd, tarOf("b=2")),
		layerOf(t, compression.None, tarOf("c=3")), layerOf(t, compression.GZip, tarOf("a=1")))
	ref := srv.push(t, "team/web:1", img)
	s := openStore(t, dir)
	got, err := pull(t, s, ref, images.PullOptions{Unpack: u})
	require.NoError(t, err)
	require.Equal(t, id(t, img), got.ID)
	require.Equal(t, []string{srv.host + "/team/web:1"}, got.Names)
	digest, err := img.Digest()
	require.NoError(t, err)
	require.Equal(t, []string{srv.host + "/team/web@" + digest.String()}, got.Digests)
	require.Equal(t, "a=1\nb=2\nc=3\na=1\n", u.tree(got.Top()))
	require.Len(t, srv.requests("/blobs/"), 4, "the config and three different layers")
	valid(t, dir)

	byDigest, err := pull(t, s, parse(t, got.Digests[0]), images.PullOptions{Unpack: u})
	require.NoError(t, err)
	require.Equal(t, public(got), public(byDigest))
	require.Empty(t, srv.requests("/blobs/"), "all is there")
}

// opener opens a gate when it is its turn to be read.
type opener chan struct{}

func (o opener) Read([]byte) (int, error) {
	close(o)
	return 0, io.EOF
}

func TestALayerIsDecompressedAheadOfItsUnpacking(t *testing.T) {
	archive, u := tarOf("a="+noise(1, 8<<20)), newTrees()
	u.gate = make(chan struct{})
	digest, err := plainLayer(archive).Digest()
	require.NoError(t, err)
	l := images.Layer{Digest: digest.String(), DiffID: digest.String(), ChainID: digest.String()}
	blob := io.MultiReader(bytes.NewReader(archive[:2<<20]), opener(u.gate), bytes.NewReader(archive[2<<20:]))
	done := make(chan error, 1)
	go func() { done <- images.UnpackFrom(l, blob, u) }()
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(patience):
		t.Fatal("not 2 MB are read before the unpacking begins")
	}
	require.Len(t, u.tree(l.ChainID), len("a=\n")+8<<20)
}

func TestDockerSchema2ImagesArePulled(t *testing.T) {
	srv, s, u := newServer(t), newStore(t), newTrees()
	img := mutate.ConfigMediaType(mutate.MediaType(simple(t, "a=1", "b=2"), types.DockerManifestSchema2), types.DockerConfigJSON)
	got, err := pull(t, s, srv.push(t, "web", img), images.PullOptions{Unpack: u})
	require.NoError(t, err)
	require.Equal(t, "a=1\nb=2\n", u.tree(got.Top()))
}

func TestProgressIsToldInDockersWords(t *testing.T) {
	srv, s := newServer(t), newStore(t)
	ref := srv.push(t, "web", simple(t, "a="+noise(1, 1<<20), "b="+noise(2, 1<<20)))
	var told []string
	tell := func(p images.Progress) {
		if line := strings.TrimPrefix(p.ID+" ", " ") + p.Status; len(told) == 0 || told[len(told)-1] != line {
			told = append(told, line)
		}
	}
	img, err := pull(t, s, ref, images.PullOptions{Unpack: newTrees(), Progress: tell})
	require.NoError(t, err)
	require.Equal(t, "latest Pulling from web", told[0])
	require.Equal(t, []string{"Digest: " + img.Manifest, "Status: Downloaded newer image for " + srv.host + "/web:latest"}, told[len(told)-2:])
	for _, l := range img.Layers {
		var states []string
		for _, line := range told {
			if status, ok := strings.CutPrefix(line, l.Digest[7:19]+" "); ok && (len(states) == 0 || states[len(states)-1] != status) {
				states = append(states, status)
			}
		}
		want := []string{"Pulling fs layer", "Downloading", "Verifying Checksum", "Download complete", "Pull complete"}
		if len(states) > len(want) {
			want = []string{"Pulling fs layer", "Downloading", "Verifying Checksum", "Download complete", "Extracting", "Pull complete"}
		}
		require.Equal(t, want, states)
	}
	told = nil
	_, err = pull(t, s, ref, images.PullOptions{Progress: tell})
	require.NoError(t, err)
	require.Contains(t, told, img.Layers[0].Digest[7:19]+" "+"Already exists")
	require.Equal(t, "Status: Image is up to date for "+srv.host+"/web:latest", told[len(told)-1])
}

func TestSharedLayersAreFetchedAndStoredOnce(t *testing.T) {
	srv, dir := newServer(t), t.TempDir()
	s := openStore(t, dir)
	one := srv.push(t, "one", simple(t, "base="+noise(1, 1000), "a=1"))
	two := srv.push(t, "two", simple(t, "base="+noise(1, 1000), "b=2"))
	_, err := pull(t, s, one, images.PullOptions{})
	require.NoError(t, err)
	srv.requests("")
	_, err = pull(t, s, two, images.PullOptions{})
	require.NoError(t, err)
	require.Len(t, srv.requests("/blobs/"), 2, "a config and a layer")
	require.Equal(t, 2*3+1, blobs(t, dir))
	valid(t, dir)
}

// indexOf has an image per platform; the file "for" in each names its platform.
func indexOf(t *testing.T, platforms ...string) v1.ImageIndex {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for _, name := range platforms {
		p, err := v1.ParsePlatform(name)
		require.NoError(t, err)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        imageFor(t, *p, plainLayer(tarOf("for="+name))),
			Descriptor: v1.Descriptor{Platform: p},
		})
	}
	return index
}

func TestAnIndexHasAnImageForEachPlatform(t *testing.T) {
	srv, dir := newServer(t), t.TempDir()
	index := indexOf(t, "unknown/unknown", "linux/arm/v5", "linux/arm/v7", "linux/arm/v6", "linux/amd64", "linux/arm64/v8", "windows/amd64")
	ref := srv.push(t, "web", index)
	digest, err := index.Digest()
	require.NoError(t, err)
	s := openStore(t, dir)
	for want, got := range map[string]string{
		"linux/amd64": "linux/amd64", "linux/x86_64": "linux/amd64", "linux/arm64": "linux/arm64/v8", "linux/aarch64": "linux/arm64/v8",
		"linux/arm": "linux/arm/v7", "linux/arm/v6": "linux/arm/v6", "linux/arm/v5": "linux/arm/v5", "windows/amd64": "windows/amd64",
	} {
		platform, err := images.ParsePlatform(want)
		require.NoError(t, err)
		u := newTrees()
		img, err := pull(t, s, ref, images.PullOptions{Platform: platform, Unpack: u})
		require.NoError(t, err, want)
		require.Equal(t, "for="+got+"\n", u.tree(img.Top()))
		require.Equal(t, []string{srv.host + "/web@" + digest.String()}, img.Digests, "the digest is that of the index")
	}
	valid(t, dir)
	for _, absent := range []string{"linux/riscv64", "linux/386", "plan9/amd64"} {
		platform, err := images.ParsePlatform(absent)
		require.NoError(t, err)
		_, err = pull(t, s, ref, images.PullOptions{Platform: platform})
		require.ErrorIs(t, err, images.ErrNotFound)
		require.ErrorContains(t, err, "no matching manifest for "+absent)
	}
	single := srv.push(t, "single", simple(t, "a=1"))
	_, err = pull(t, s, single, images.PullOptions{Platform: v1.Platform{OS: "linux", Architecture: "s390x"}})
	require.ErrorContains(t, err, "does not match the platform")
	// Without being asked for a platform, Docker takes what there is.
	foreign := srv.push(t, "foreign", imageFor(t, v1.Platform{OS: "linux", Architecture: "s390x"}, plainLayer(tarOf("a=1"))))
	nothing, err := images.ParsePlatform("")
	require.NoError(t, err)
	_, err = pull(t, s, foreign, images.PullOptions{Platform: nothing})
	require.NoError(t, err)
}

func TestBadPlatformsAreRefused(t *testing.T) {
	for _, in := range []string{"linux", "a/b/c/d", "/amd64", "linux/"} {
		_, err := images.ParsePlatform(in)
		require.Error(t, err, in)
	}
}

// TestLayersAreUnpackedWhileTheyArrive holds the last bytes of a layer back until
// the Unpacker has begun to read it.
func TestLayersAreUnpackedWhileTheyArrive(t *testing.T) {
	srv, u := newServer(t), &startedTrees{trees: newTrees(), started: make(chan struct{})}
	blob := tarOf("a=" + noise(1, 2<<20))
	ref := srv.push(t, "web", imageOf(t, plainLayer(blob)))
	srv.setMeddle(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, digestOf(blob)) {
			return false
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(blob)))
		_, _ = w.Write(blob[:1<<20])
		_ = http.NewResponseController(w).Flush()
		select {
		case <-u.started:
		case <-r.Context().Done():
		}
		_, _ = w.Write(blob[1<<20:])
		return true
	})
	_, err := pull(t, newStore(t), ref, images.PullOptions{Unpack: u})
	require.NoError(t, err)
}

// lies are what a registry may answer instead of the truth.
func TestLiesAreNoticedAndNotKept(t *testing.T) {
	blob := tarOf("a=" + noise(1, 1<<20))
	other := tarOf("b=" + noise(2, 1<<20))
	img := imageOf(t, plainLayer(blob))
	manifest, err := img.Digest()
	require.NoError(t, err)
	answer := func(part string, with []byte) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, part) {
				return false
			}
			_, err := w.Write(with)
			return err == nil
		}
	}
	for name, row := range map[string]struct {
		ref    string
		meddle func(http.ResponseWriter, *http.Request) bool
		want   error
	}{
		"another layer":         {"web", answer(digestOf(blob), other), images.ErrDigest},
		"a layer with a tail":   {"web", answer(digestOf(blob), append(slices.Clip(blob), "tail"...)), images.ErrSize},
		"another manifest":      {"web@" + manifest.String(), answer("/manifests/", []byte(`{"schemaVersion":2}`)), images.ErrDigest},
		"another config":        {"web", answer(id(t, img), []byte(`{"rootfs":{"diff_ids":["`+someDigest+`"]}}`)), images.ErrSize},
		"another of its size":   {"web", answer(id(t, img), bytes.Repeat([]byte(" "), configSize(t, img))), images.ErrDigest},
		"a manifest of 5 MB":    {"web", answer("/manifests/", make([]byte, 5<<20)), images.ErrSize},
		"a config that is long": {"web", answer(id(t, img), make([]byte, 5<<20)), images.ErrSize},
	} {
		t.Run(name, func(t *testing.T) {
			srv, dir, u := newServer(t), t.TempDir(), newTrees()
			srv.push(t, "web", img)
			srv.setMeddle(row.meddle)
			s := openStore(t, dir)
			_, err := pull(t, s, parse(t, srv.host+"/"+row.ref), images.PullOptions{Unpack: u})
			require.ErrorIs(t, err, row.want)
			require.Empty(t, u.layers)
			list, err := s.List()
			require.NoError(t, err)
			require.Empty(t, list)
			require.NoError(t, s.Sweep(images.SweepOptions{}))
			valid(t, dir)

			srv.setMeddle(nil) // and the truth is still accepted
			_, err = pull(t, s, parse(t, srv.host+"/"+row.ref), images.PullOptions{Unpack: u})
			require.NoError(t, err)
		})
	}
}

func configSize(t *testing.T, img v1.Image) int {
	t.Helper()
	raw, err := img.RawConfigFile()
	require.NoError(t, err)
	return len(raw)
}

func TestALayerThatIsNotWhatTheConfigSaysIsNotKept(t *testing.T) {
	srv, s, u := newServer(t), newStore(t), newTrees()
	img := imageOf(t, plainLayer(tarOf("a=1")))
	config, err := img.ConfigFile()
	require.NoError(t, err)
	config = config.DeepCopy()
	config.RootFS.DiffIDs[0].Hex = strings.Repeat("0", 64)
	img, err = mutate.ConfigFile(img, config)
	require.NoError(t, err)
	_, err = pull(t, s, srv.push(t, "web", img), images.PullOptions{Unpack: u})
	require.ErrorIs(t, err, images.ErrDigest)
	require.ErrorContains(t, err, "DiffID")
	require.Empty(t, u.layers)
}

func TestAbsentImagesAreNotFound(t *testing.T) {
	srv, s := newServer(t), newStore(t)
	srv.push(t, "web:1", simple(t, "a=1"))
	for _, name := range []string{"web:2", "other", "web@" + someDigest} {
		_, err := pull(t, s, parse(t, srv.host+"/"+name), images.PullOptions{})
		require.ErrorIs(t, err, images.ErrNotFound)
		require.ErrorContains(t, err, "manifest for "+srv.host+"/"+name)
	}
	_, err := pull(t, s, parse(t, "127.0.0.1:1/web"), images.PullOptions{})
	require.Error(t, err)
	require.NotErrorIs(t, err, images.ErrNotFound)
	require.ErrorContains(t, err, "connection refused")
}

func TestABusyRegistryIsAskedAgain(t *testing.T) {
	srv, s := newServer(t), newStore(t)
	ref := srv.push(t, "web", simple(t, "a=1"))
	var calls atomic.Int32
	srv.setMeddle(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v2/" && calls.Add(1)%2 == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	})
	_, err := pull(t, s, ref, images.PullOptions{})
	require.NoError(t, err)
}

func TestAnUnpackerThatFailsEndsThePull(t *testing.T) {
	srv, dir := newServer(t), t.TempDir()
	ref := srv.push(t, "web", simple(t, "a=1", "b="+noise(1, 1<<20), "c=3"))
	s := openStore(t, dir)
	_, err := pull(t, s, ref, images.PullOptions{Unpack: broken{}})
	require.ErrorIs(t, err, errDisk)
	list, err := s.List()
	require.NoError(t, err)
	require.Empty(t, list)
}

var errDisk = errors.New("disk full")
