package images_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	images "cutaway/05-images"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/require"
)

func TestAnImageIsFoundByAllItsNames(t *testing.T) {
	s := newStore(t)
	added, err := s.Add(simple(t, "a=1"), "web:1", nil)
	require.NoError(t, err)
	require.NoError(t, s.Tag("web:1", "localhost:5000/team/web"))
	for _, ref := range []string{
		"web:1", "docker.io/library/web:1", "localhost:5000/team/web:latest", added.ID, added.ID[7:], added.ID[7:19], added.ID[:12],
	} {
		got, err := s.Get(ref)
		require.NoError(t, err, ref)
		require.Equal(t, added.ID, got.ID)
		require.Equal(t, []string{"web:1", "localhost:5000/team/web:latest"}, got.Names)
	}
	for _, ref := range []string{"web", "web:2", "team/web", "sha256:" + added.ID[70:], "sha256:0", someDigest} {
		_, err := s.Get(ref)
		require.ErrorIs(t, err, images.ErrNotFound, ref)
	}
	for _, ref := range []string{"", "sha256:", "Web", ":"} {
		_, err := s.Get(ref)
		require.ErrorIs(t, err, images.ErrReference, ref)
	}
}

func TestShortIDsMustBeUnique(t *testing.T) {
	s := newStore(t)
	ids := map[string]int{} // first digit → images
	for i := range 17 {
		img, err := s.Add(simple(t, fmt.Sprintf("a=%d", i)), fmt.Sprintf("n%d", i), nil)
		require.NoError(t, err)
		ids[img.ID[7:8]]++
	}
	ambiguous := 0
	for digit, n := range ids {
		_, err := s.Get(digit)
		if n > 1 {
			require.ErrorIs(t, err, images.ErrAmbiguous)
			ambiguous++
		} else {
			require.NoError(t, err)
		}
	}
	require.NotZero(t, ambiguous) // 17 images, 16 digits
}

func TestANameGoesBeforeAnID(t *testing.T) {
	s := newStore(t)
	one, err := s.Add(simple(t, "a=1"), "", nil)
	require.NoError(t, err)
	short := one.ID[7:12]
	two, err := s.Add(simple(t, "a=2"), short, nil)
	require.NoError(t, err)
	got, err := s.Get(short)
	require.NoError(t, err)
	require.Equal(t, two.ID, got.ID)
}

func TestTheImageThatLosesItsNameStays(t *testing.T) {
	s := newStore(t)
	old, err := s.Add(simple(t, "a=1"), "web", nil)
	require.NoError(t, err)
	young, err := s.Add(simple(t, "a=2"), "web", nil)
	require.NoError(t, err)
	got, err := s.Get("web")
	require.NoError(t, err)
	require.Equal(t, young.ID, got.ID)
	got, err = s.Get(old.ID)
	require.NoError(t, err)
	require.Empty(t, got.Names)
	list, err := s.List()
	require.NoError(t, err)
	require.Len(t, list, 2)
}

func TestLayersHaveAllTheirNames(t *testing.T) {
	img := simple(t, "a=1", "b=2")
	got, err := newStore(t).Add(img, "web", nil)
	require.NoError(t, err)
	layers, err := img.Layers()
	require.NoError(t, err)
	for i, l := range layers {
		digest, _ := l.Digest()
		diffID, _ := l.DiffID()
		require.Equal(t, digest.String(), got.Layers[i].Digest)
		require.Equal(t, diffID.String(), got.Layers[i].DiffID)
	}
	require.Equal(t, got.Layers[0].DiffID, got.Layers[0].ChainID)
	require.Equal(t, images.ChainID(got.Layers[0].ChainID, got.Layers[1].DiffID), got.Top())
}

// valid checks what must hold of a store at any time when nothing runs: each
// blob has the content that its name says, each is needed, each image unpacks.
func valid(t *testing.T, dir string) {
	t.Helper()
	s := openStore(t, dir)
	list, err := s.List()
	require.NoError(t, err)
	needed := map[string]bool{}
	for _, img := range list {
		require.NoError(t, s.Unpack(img, newTrees()))
		needed[img.ID], needed[img.Manifest] = true, true
		for _, l := range img.Layers {
			needed[l.Digest] = true
		}
		for _, name := range img.Digests {
			needed[parse(t, name).Digest] = true // an index
		}
	}
	entries, err := os.ReadDir(filepath.Join(dir, "blobs/sha256"))
	require.NoError(t, err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, "blobs/sha256", e.Name()))
		require.NoError(t, err)
		require.Equal(t, "sha256:"+e.Name(), digestOf(b))
		require.True(t, needed[digestOf(b)], "unneeded blob %s", e.Name())
	}
	for _, sub := range []string{"ingest", "leases"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		require.NoError(t, err)
		require.Empty(t, entries, sub)
	}
}

func TestTheStoreIsAnImageLayout(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	for i := range 3 {
		_, err := s.Add(simple(t, "shared=1", fmt.Sprintf("a=%d", i)), fmt.Sprintf("web:%d", i), nil)
		require.NoError(t, err)
	}
	valid(t, dir)
	path, err := layout.FromPath(dir)
	require.NoError(t, err)
	index, err := path.ImageIndex()
	require.NoError(t, err)
	require.NoError(t, validate.Index(index))
}

func TestALayoutThatOthersWroteIsAStore(t *testing.T) {
	dir := t.TempDir()
	path, err := layout.Write(dir, empty.Index)
	require.NoError(t, err)
	img := simple(t, "a=1")
	require.NoError(t, path.AppendImage(img, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "web:1"})))
	s := openStore(t, dir)
	got, err := s.Get("web:1")
	require.NoError(t, err)
	require.Equal(t, id(t, img), got.ID)
	require.NoError(t, s.Tag("web:1", "web:2"))
	// And they may change it under the store's eyes.
	require.NoError(t, path.RemoveDescriptors(match.Name("web:1")))
	got, err = s.Get(got.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"web:2"}, got.Names)
}

func TestADamagedBlobIsNoticed(t *testing.T) {
	dir := t.TempDir()
	img, err := openStore(t, dir).Add(simple(t, "a=1"), "web", nil)
	require.NoError(t, err)
	blob := func(digest string) string { return filepath.Join(dir, "blobs/sha256", digest[7:]) }
	require.NoError(t, os.WriteFile(blob(img.Layers[0].Digest), []byte("not this layer"), 0o644))
	require.Error(t, openStore(t, dir).Unpack(img, newTrees()))
	s := openStore(t, dir)
	require.NoError(t, os.WriteFile(blob(img.Layers[0].Digest), make([]byte, img.Layers[0].Size), 0o644))
	_, err = s.Add(simple(t, "a=1"), "web", newTrees())
	require.ErrorIs(t, err, images.ErrDigest)
	_, err = s.Add(simple(t, "a=1"), "web", newTrees())
	require.NoError(t, err, "it was removed, and came again")
	require.NoError(t, os.WriteFile(blob(img.Manifest), []byte(`{"config":{}}`), 0o644))
	s = openStore(t, dir)
	_, err = s.Get("web")
	require.ErrorIs(t, err, images.ErrDigest)
	_, err = s.Add(simple(t, "b=2"), "other", nil)
	require.NoError(t, err, "the others are well")
	_, err = s.Add(simple(t, "a=1"), "web", newTrees())
	require.NoError(t, err, "and what is added again is well again")
	require.NoError(t, os.Remove(blob(img.Manifest)))
	_, err = openStore(t, dir).Get("web")
	require.ErrorIs(t, err, images.ErrNotFound)
}

// TestManyProcessesChangeOneStore starts this test binary several times; each
// process tags and untags in several goroutines.
func TestManyProcessesChangeOneStore(t *testing.T) {
	const processes, goroutines, rounds = 4, 4, 8
	if dir := os.Getenv("IMAGES_TAG_IN"); dir != "" {
		hammer(t, dir, goroutines, rounds)
		return
	}
	dir := t.TempDir()
	s := openStore(t, dir)
	_, err := s.Add(simple(t, "a=1"), "web", nil)
	require.NoError(t, err)
	var wait sync.WaitGroup
	for i := range processes {
		wait.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestManyProcessesChangeOneStore$")
			cmd.Env = append(os.Environ(), "IMAGES_TAG_IN="+dir, "IMAGES_NUMBER="+strconv.Itoa(i))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("process %d: %v\n%s", i, err, out)
			}
		})
	}
	wait.Wait()
	img, err := s.Get("web")
	require.NoError(t, err)
	require.Len(t, img.Names, 1+processes*goroutines*rounds/2)
	valid(t, dir)
}

func hammer(t *testing.T, dir string, goroutines, rounds int) {
	var wait sync.WaitGroup
	for g := range goroutines {
		wait.Go(func() {
			s, err := images.OpenStore(dir)
			for n := range rounds {
				name := fmt.Sprintf("p%s-g%d:%d", os.Getenv("IMAGES_NUMBER"), g, n)
				err = errors.Join(err, s.Tag("web", name))
				if n%2 == 1 {
					_, rmErr := s.Remove(name, images.RemoveOptions{})
					err = errors.Join(err, rmErr)
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

func BenchmarkGet(b *testing.B) {
	dir := b.TempDir()
	s, err := images.OpenStore(dir)
	must(err)
	for i := range 50 {
		_, err := s.Add(imageOf(&testing.T{}, plainLayer(tarOf(fmt.Sprintf("a=%d", i)))), fmt.Sprintf("web:%d", i), nil)
		must(err)
	}
	for b.Loop() {
		_, err := s.Get("web:7")
		must(err)
	}
}

func blobs(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "blobs"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	}))
	return n
}
