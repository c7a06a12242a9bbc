package images_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	images "cutaway/05-images"

	"github.com/google/go-containerregistry/pkg/compression"
	"github.com/stretchr/testify/require"
)

func TestWhatIsPushedCanBePulled(t *testing.T) {
	srv, s := newServer(t), newStore(t)
	made := imageOf(t, layerOf(t, compression.GZip, tarOf("a="+noise(1, 1<<20))), layerOf(t, compression.ZStd, tarOf("b=2")), plainLayer(tarOf("c=3")))
	ref := parse(t, srv.host+"/team/web:1")
	img, err := s.Add(made, ref.String(), nil)
	require.NoError(t, err)
	var told []string
	require.NoError(t, s.Push(t.Context(), ref, images.PushOptions{Progress: func(p images.Progress) { told = append(told, p.Status) }}))
	require.True(t, slices.Contains(told, "Preparing") && slices.Contains(told, "Pushing") && slices.Contains(told, "Pushed"))
	require.Contains(t, told[len(told)-1], "digest: "+img.Manifest)

	u := newTrees()
	got, err := pull(t, newStore(t), ref, images.PullOptions{Unpack: u})
	require.NoError(t, err)
	require.Equal(t, img.ID, got.ID)
	require.Equal(t, img.Manifest, got.Manifest, "byte for byte")
	require.True(t, strings.HasSuffix(u.tree(got.Top()), "b=2\nc=3\n"))
}

func TestOnlyWhatIsMissingIsPushed(t *testing.T) {
	srv, s := newServer(t), newStore(t)
	push := func(name string, files ...string) []string {
		ref := parse(t, srv.host+"/web:"+name)
		_, err := s.Add(simple(t, files...), ref.String(), nil)
		require.NoError(t, err)
		require.NoError(t, s.Push(t.Context(), ref, images.PushOptions{}))
		return srv.requests("PUT")
	}
	require.Len(t, push("1", "base=1", "a=1"), 4, "two layers, config, manifest")
	require.Len(t, push("2", "base=1", "b=2"), 3, "one layer, config, manifest")
	require.Len(t, push("3", "base=1", "b=2"), 1, "a manifest, for its name")
}

func TestAPushGoesOnAfterAMoment(t *testing.T) {
	srv, s := newServer(t), newStore(t)
	ref := parse(t, srv.host+"/web")
	img, err := s.Add(simple(t, "a="+noise(1, 1<<20)), ref.String(), nil)
	require.NoError(t, err)
	failures := 2
	srv.setMeddle(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || r.URL.Query().Get("digest") != img.Layers[0].Digest || failures == 0 {
			return false
		}
		failures--
		if failures == 1 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusBadGateway)
		return true
	})
	require.NoError(t, s.Push(t.Context(), ref, images.PushOptions{}))
	_, err = pull(t, newStore(t), ref, images.PullOptions{})
	require.NoError(t, err)
}

func TestAnImageThatIsRemovedDuringItsPushStaysRemoved(t *testing.T) {
	srv, s := newServer(t), newStore(t)
	ref := parse(t, srv.host+"/web")
	img, err := s.Add(simple(t, "a=1"), ref.String(), nil)
	require.NoError(t, err)
	srv.setMeddle(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
			_, err := s.Remove(img.ID, images.RemoveOptions{})
			must(err)
		}
		return false
	})
	require.NoError(t, s.Push(t.Context(), ref, images.PushOptions{}))
	list, err := s.List()
	require.NoError(t, err)
	require.Empty(t, list)
	_, err = pull(t, newStore(t), ref, images.PullOptions{})
	require.NoError(t, err, "what it needed was there to the end")
}

func TestAnImageThatIsRemovedBeforeItsPushIsNotFound(t *testing.T) {
	srv, s := newServer(t), newStore(t)
	ref := parse(t, srv.host+"/web")
	img, err := s.Add(simple(t, "a=1"), ref.String(), nil)
	require.NoError(t, err)
	srv.setMeddle(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v2/" { // the first request
			_, err := s.Remove(img.ID, images.RemoveOptions{})
			must(err)
		}
		return false
	})
	err = s.Push(t.Context(), ref, images.PushOptions{})
	require.ErrorIs(t, err, images.ErrNotFound)
	require.ErrorContains(t, err, "no such image: "+ref.Familiar())
}

func TestPushingNeedsAnImageAndPermission(t *testing.T) {
	srv, s := newServer(t), newStore(t)
	ref := parse(t, srv.host+"/web")
	require.ErrorIs(t, s.Push(t.Context(), ref, images.PushOptions{}), images.ErrNotFound)
	_, err := s.Add(simple(t, "a=1"), ref.String(), nil)
	require.NoError(t, err)
	srv.setMeddle(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			http.Error(w, `{"errors":[{"code":"DENIED","message":"read only"}]}`, http.StatusForbidden)
			return true
		}
		return false
	})
	err = s.Push(t.Context(), ref, images.PushOptions{})
	require.ErrorIs(t, err, images.ErrUnauthorized)
	require.ErrorContains(t, err, "read only")
}

// TestAnImageIsPushedAsItCame has one image in two packings: one config, two manifests.
func TestAnImageIsPushedAsItCame(t *testing.T) {
	srv, s := newServer(t), newStore(t)
	one, err := s.Add(imageOf(t, layerOf(t, compression.GZip, tarOf("a=1"))), "one", nil)
	require.NoError(t, err)
	ref := srv.push(t, "two", imageOf(t, layerOf(t, compression.ZStd, tarOf("a=1"))))
	two, err := pull(t, s, ref, images.PullOptions{})
	require.NoError(t, err)
	require.Equal(t, one.ID, two.ID)
	require.NotEqual(t, one.Manifest, two.Manifest)
	require.ElementsMatch(t, []string{"one:latest", ref.Familiar()}, two.Names)

	require.NoError(t, s.Sweep(images.SweepOptions{}))
	require.NoError(t, s.Push(t.Context(), ref, images.PushOptions{}))
	got, err := pull(t, newStore(t), ref, images.PullOptions{})
	require.NoError(t, err)
	require.Equal(t, two.Manifest, got.Manifest)
	for name, want := range map[string]images.Image{"one": one, ref.String(): two} {
		got, err := s.Get(name)
		require.NoError(t, err)
		require.Equal(t, want.Manifest, got.Manifest)
		require.NoError(t, s.Unpack(got, newTrees()), "nothing of it was swept")
	}
}
