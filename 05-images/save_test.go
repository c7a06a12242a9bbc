package images_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	images "cutaway/05-images"

	"github.com/google/go-containerregistry/pkg/compression"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"
)

func TestWhatIsSavedCanBeLoaded(t *testing.T) {
	s := newStore(t)
	one, err := s.Add(simple(t, "base=1", "a=1"), "one", nil)
	require.NoError(t, err)
	two, err := s.Add(imageOf(t, layerOf(t, compression.ZStd, tarOf("base=1")), plainLayer(tarOf("b=2"))), "127.0.0.1:5000/two:2", nil)
	require.NoError(t, err)
	var archive bytes.Buffer
	require.NoError(t, s.Save(&archive, "one", "127.0.0.1:5000/two:2", one.ID))

	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err = z.Write(archive.Bytes())
	require.NoError(t, err)
	require.NoError(t, z.Close())
	for _, stream := range []io.Reader{bytes.NewReader(archive.Bytes()), &packed} {
		dir, u := t.TempDir(), newTrees()
		other := openStore(t, dir)
		_, err = other.Load(stream, images.LoadOptions{Unpack: u})
		require.NoError(t, err)
		got, err := other.Get("one")
		require.NoError(t, err)
		require.Equal(t, public(one), public(got))
		got, err = other.Get("127.0.0.1:5000/two:2")
		require.NoError(t, err)
		require.Equal(t, public(two), public(got))
		require.Equal(t, "base=1\nb=2\n", u.tree(got.Top()))
		valid(t, dir)
	}
	require.ErrorIs(t, s.Save(io.Discard, "three"), images.ErrNotFound)
}

// TestTheDockerArchiveIsLoaded reads what tools wrote before there was OCI.
func TestTheDockerArchiveIsLoaded(t *testing.T) {
	made := simple(t, "a=1", "b=2")
	tag, err := name.NewTag("web:1")
	require.NoError(t, err)
	var archive bytes.Buffer
	require.NoError(t, tarball.Write(tag, made, &archive))
	dir, u := t.TempDir(), newTrees()
	s := openStore(t, dir)
	loaded, err := s.Load(&archive, images.LoadOptions{Unpack: u})
	require.NoError(t, err)
	require.Equal(t, id(t, made), loaded[0].ID)
	require.Equal(t, []string{"web:1"}, loaded[0].Names)
	require.Equal(t, "a=1\nb=2\n", u.tree(loaded[0].Top()))
	valid(t, dir)
}

// entry is a file of an archive; with link it is a symbolic link.
type entry struct{ name, content, link string }

func archiveOf(entries ...entry) io.Reader {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.content)), Typeflag: tar.TypeReg}
		if e.link != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		}
		must(w.WriteHeader(h))
		_, err := w.Write([]byte(e.content))
		must(err)
	}
	must(w.Close())
	return &b
}

// dockerArchive has the layers as docker save wrote them before 25.0.
func dockerArchive(t *testing.T, diffID string, layer ...entry) io.Reader {
	t.Helper()
	config := `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["` + diffID + `"]}}`
	list, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{"web:1"}, "Layers": []string{"x/layer.tar"}}})
	require.NoError(t, err)
	return archiveOf(append(layer, entry{name: "config.json", content: config}, entry{name: "manifest.json", content: string(list)})...)
}

func TestALayerMayBeALinkInTheArchive(t *testing.T) {
	layer := tarOf("a=1")
	s, u := newStore(t), newTrees()
	img, err := s.Load(dockerArchive(t, digestOf(layer), entry{name: "x/layer.tar", link: "../y/layer.tar"}, entry{name: "y/layer.tar", content: string(layer)}), images.LoadOptions{Unpack: u})
	require.NoError(t, err)
	require.Equal(t, "a=1\n", u.tree(img[0].Top()))
}

func TestNoArchiveReachesOutOfItself(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	layer := tarOf("a=1")
	require.NoError(t, os.WriteFile(outside, layer, 0o644))
	for what, archive := range map[string]io.Reader{
		"a layer that links to a file of the host": dockerArchive(t, digestOf(layer), entry{name: "x/layer.tar", link: outside}),
		"one that links upwards":                   dockerArchive(t, digestOf(layer), entry{name: "x/layer.tar", link: "../../../../../../../.." + outside}),
		"a name that leads upwards":                archiveOf(entry{name: "../../index.json", content: "{}"}),
		"a directory that is a link":               archiveOf(entry{name: "layer.tar", link: filepath.Dir(outside)}, entry{name: "layer.tar/secret", content: "changed"}),
	} {
		dir := t.TempDir()
		s := openStore(t, dir)
		_, err := s.Load(archive, images.LoadOptions{Unpack: newTrees()})
		require.Error(t, err, what)
		list, err := s.List()
		require.NoError(t, err)
		require.Empty(t, list, what)
		require.NoError(t, s.Sweep(images.SweepOptions{}))
		valid(t, dir)
	}
	content, err := os.ReadFile(outside)
	require.NoError(t, err)
	require.Equal(t, layer, content)
}

func TestBadArchivesAreRefused(t *testing.T) {
	layer := tarOf("a=1")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := io.Copy(z, dockerArchive(t, digestOf(layer), entry{name: "x/layer.tar", content: string(layer)}))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	cut := packed.Bytes()[:packed.Len()-3] // all files are there, and their checksum is not
	for what, archive := range map[string]io.Reader{
		"nothing":               bytes.NewReader(nil),
		"no tar":                bytes.NewReader(bytes.Repeat([]byte("x"), 2000)),
		"no image":              archiveOf(entry{name: "a", content: "1"}),
		"no layer":              dockerArchive(t, digestOf(layer)),
		"another layer":         dockerArchive(t, digestOf(layer), entry{name: "x/layer.tar", content: string(tarOf("a=2"))}),
		"a manifest.json {":     archiveOf(entry{name: "manifest.json", content: "{"}),
		"an index.json {":       archiveOf(entry{name: "index.json", content: "{"}),
		"a packing that is cut": bytes.NewReader(cut),
		"a truncated archive":   io.LimitReader(dockerArchive(t, digestOf(layer), entry{name: "x/layer.tar", content: string(layer)}), 1000),
	} {
		dir := t.TempDir()
		_, err := openStore(t, dir).Load(archive, images.LoadOptions{Unpack: newTrees()})
		require.Error(t, err, what)
		valid(t, dir)
	}
}

// layoutOf is an archive of an image layout with one name, which stands for an index.
func layoutOf(t *testing.T, index v1.ImageIndex) io.Reader {
	t.Helper()
	dir := t.TempDir()
	path, err := layout.Write(dir, empty.Index)
	require.NoError(t, err)
	require.NoError(t, path.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "web:1"})))
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	require.NoError(t, w.AddFS(os.DirFS(dir)))
	require.NoError(t, w.Close())
	return &b
}

func TestAnArchiveMayHaveAnImageForEachPlatform(t *testing.T) {
	index := indexOf(t, "linux/s390x", "linux/arm64")
	for _, want := range []string{"linux/s390x", "linux/arm64"} {
		platform, err := images.ParsePlatform(want)
		require.NoError(t, err)
		dir, u := t.TempDir(), newTrees()
		loaded, err := openStore(t, dir).Load(layoutOf(t, index), images.LoadOptions{Unpack: u, Platform: platform})
		require.NoError(t, err)
		require.Equal(t, []string{"web:1"}, loaded[0].Names)
		require.Equal(t, "for="+want+"\n", u.tree(loaded[0].Top()))
		valid(t, dir)
	}
	_, err := newStore(t).Load(layoutOf(t, index), images.LoadOptions{Platform: v1.Platform{OS: "linux", Architecture: "386"}})
	require.ErrorIs(t, err, images.ErrNotFound)
	require.ErrorContains(t, err, "the archive has none for linux/386")
}

// TestWhatAPullHasLeftIsNotTrusted has the beginning of a layer in the store, or what is no layer at all.
func TestWhatAPullHasLeftIsNotTrusted(t *testing.T) {
	layer := tarOf("a=1")
	for what, left := range map[string][]byte{"half of it": layer[:700], "another": tarOf("b=2"), "too much": append(layer, "more"...)} {
		t.Run(what, func(t *testing.T) {
			dir, u := t.TempDir(), newTrees()
			s := openStore(t, dir)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "ingest", digestOf(layer)[7:]), left, 0o644))
			_, err := s.Add(imageOf(t, plainLayer(layer)), "web", u)
			if what != "half of it" {
				require.ErrorIs(t, err, images.ErrDigest)
				require.Empty(t, u.layers)
				_, err = s.Add(imageOf(t, plainLayer(layer)), "web", u)
			}
			require.NoError(t, err)
			valid(t, dir)
		})
	}
}

func TestHistoryTellsWhichStepsMadeLayers(t *testing.T) {
	img, err := newStore(t).Add(simple(t, "a=1", "b=2"), "web", nil)
	require.NoError(t, err)
	steps := img.History()
	require.Len(t, steps, 2)
	require.Equal(t, img.ID, steps[0].ID)
	require.Equal(t, "<missing>", steps[1].ID)
	require.Equal(t, img.Layers[1].Digest, steps[0].Layer.Digest)
}
