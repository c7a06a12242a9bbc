package images_test

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"testing"

	images "cutaway/05-images"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"
)

// FuzzDocuments hands a registry's manifest and config to Pull: nothing that a
// stranger writes there may do more than be refused.
func FuzzDocuments(f *testing.F) {
	img := imageOf(&testing.T{}, plainLayer(tarOf("a=1")))
	manifest, err := img.RawManifest()
	must(err)
	config, err := img.RawConfigFile()
	must(err)
	f.Add(manifest, config)
	f.Add(bytes.Replace(manifest, []byte(`"digest"`), []byte(`"digger"`), 2), config)
	f.Add(manifest, bytes.Replace(config, []byte("diff_ids"), []byte("diffs"), 1))
	f.Add([]byte(`{"schemaVersion":2,"layers":[{}],"config":{}}`), []byte(`{"rootfs":{"diff_ids":[""]}}`))
	f.Add([]byte(`{"manifests":[{"platform":{"os":"linux","architecture":"amd64"}}]}`), []byte("null"))
	f.Add([]byte(`{"schemaVersion":1}`), []byte(""))
	f.Add([]byte("null"), []byte("null"))
	f.Fuzz(func(t *testing.T, manifest, config []byte) {
		s, err := images.ParseAndEnter(t.TempDir(), manifest, config)
		if err != nil {
			return
		}
		list, err := s.List()
		require.NoError(t, err)
		require.Len(t, list, 1)
		_, err = s.Remove(list[0].ID, images.RemoveOptions{})
		require.NoError(t, err)
	})
}

// FuzzLoad loads archives of strangers.
func FuzzLoad(f *testing.F) {
	dir := f.TempDir()
	s, err := images.OpenStore(dir)
	must(err)
	_, err = s.Add(imageOf(&testing.T{}, plainLayer(tarOf("a=1"))), "web", nil)
	must(err)
	var archive bytes.Buffer
	must(s.Save(&archive, "web"))
	f.Add(archive.Bytes())
	f.Add(tarOf("manifest.json=[{}]"))
	f.Add(tarOf(`manifest.json=[{"Config":"c","Layers":[""]}]`, "c={}"))
	f.Add(tarOf(`index.json={"manifests":[{}]}`))
	f.Fuzz(func(t *testing.T, archive []byte) {
		s, err := images.OpenStore(t.TempDir())
		require.NoError(t, err)
		loaded, err := s.Load(bytes.NewReader(archive), images.LoadOptions{Unpack: newTrees()})
		if err != nil {
			return
		}
		for _, img := range loaded {
			_, err := s.Get(img.ID)
			require.NoError(t, err)
		}
	})
}

// TestAManifestWithoutDigestsIsRefused is what fuzzing was for: a layer without a digest.
func TestAManifestWithoutDigestsIsRefused(t *testing.T) {
	srv, s := newServer(t), newStore(t)
	ref := srv.push(t, "web", simple(t, "a=1"))
	config := []byte(`{"rootfs":{"diff_ids":["` + someDigest + `"]}}`)
	hash, _, err := v1.SHA256(bytes.NewReader(config))
	require.NoError(t, err)
	srv.setMeddle(func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.Contains(r.URL.Path, "/manifests/"):
			_, err := w.Write([]byte(`{"schemaVersion":2,"config":{"digest":"` + hash.String() + `","size":` + strconv.Itoa(len(config)) + `},"layers":[{"size":5}]}`))
			return err == nil
		case strings.Contains(r.URL.Path, hash.String()):
			_, err := w.Write(config)
			return err == nil
		}
		return false
	})
	_, err = pull(t, s, ref, images.PullOptions{})
	require.ErrorContains(t, err, "digest")
}
