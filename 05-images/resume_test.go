package images_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	images "cutaway/05-images"

	"github.com/google/go-containerregistry/pkg/compression"
	"github.com/stretchr/testify/require"
)

// flaky answers requests for a blob, and breaks the connection after some of its
// bytes, each time a little later.
type flaky struct {
	blob          []byte
	breaks        atomic.Int32 // how often
	acceptsRanges bool
	tellsNoLength bool     // and ends in good order where it breaks, as a proxy does whose own source has broken
	ranges        sync.Map // that were asked for
}

func (f *flaky) serve(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, digestOf(f.blob)) {
		return false
	}
	start := 0
	if header := r.Header.Get("Range"); header != "" {
		f.ranges.Store(header, true)
		if f.acceptsRanges {
			_, err := fmt.Sscanf(header, "bytes=%d-", &start)
			must(err)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(f.blob)-1, len(f.blob)))
		}
	}
	if !f.tellsNoLength {
		w.Header().Set("Content-Length", strconv.Itoa(len(f.blob)-start))
	}
	if start > 0 {
		w.WriteHeader(http.StatusPartialContent)
	}
	_ = http.NewResponseController(w).Flush() // else a short body gets its length
	n := len(f.blob)
	if left := f.breaks.Add(-1); left >= 0 {
		n = len(f.blob) / int(left+2)
	}
	if _, err := w.Write(f.blob[start:max(start, n)]); err == nil && n < len(f.blob) && !f.tellsNoLength {
		panic(http.ErrAbortHandler)
	}
	return true
}

func (f *flaky) asked() int {
	n := 0
	f.ranges.Range(func(any, any) bool { n++; return true })
	return n
}

func digestOf(b []byte) string {
	h, err := plainLayer(b).Digest()
	must(err)
	return h.String()
}

func TestABrokenConnectionIsContinued(t *testing.T) {
	for _, registry := range []*flaky{{acceptsRanges: true}, {}, {acceptsRanges: true, tellsNoLength: true}, {tellsNoLength: true}} {
		t.Run(fmt.Sprintf("accepts ranges: %v, tells no length: %v", registry.acceptsRanges, registry.tellsNoLength), func(t *testing.T) {
			srv, dir, u := newServer(t), t.TempDir(), newTrees()
			blob := tarOf("a=" + noise(1, 3<<20))
			ref := srv.push(t, "web", imageOf(t, plainLayer(blob)))
			registry.blob = blob
			registry.breaks.Store(3)
			srv.setMeddle(registry.serve)
			img, err := pull(t, openStore(t, dir), ref, images.PullOptions{Unpack: u})
			require.NoError(t, err)
			require.True(t, u.Has(img.Top()))
			require.Equal(t, 3, registry.asked(), "each new request asks only for the rest")
			valid(t, dir)
		})
	}
}

func TestAnInterruptedPullIsContinuedByTheNext(t *testing.T) {
	srv, dir := newServer(t), t.TempDir()
	blob := tarOf("a=" + noise(1, 3<<20))
	ref := srv.push(t, "web", imageOf(t, layerOf(t, compression.GZip, tarOf("base=1")), plainLayer(blob)))
	ctx, cancel := context.WithCancel(t.Context())
	srv.setMeddle(stall(blob))
	s := openStore(t, dir)
	u := newTrees()
	ended := make(chan error, 1)
	go func() {
		_, err := s.Pull(ctx, ref, images.PullOptions{Unpack: u})
		ended <- err
	}()
	awaitHalf(t, dir, blob)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	list, err := s.List()
	require.NoError(t, err)
	require.Empty(t, list, "no half image")

	registry := &flaky{blob: blob, acceptsRanges: true}
	srv.setMeddle(registry.serve)
	img, err := pull(t, s, ref, images.PullOptions{Unpack: u})
	require.NoError(t, err)
	require.True(t, u.Has(img.Top()))
	require.Equal(t, 1, registry.asked(), "only the rest was asked for")
	valid(t, dir)
}

func TestASilentRegistryIsAskedAgain(t *testing.T) {
	t.Cleanup(images.SetSilence(500 * time.Millisecond))
	srv, u := newServer(t), newTrees()
	blob := tarOf("a=" + noise(1, 3<<20))
	ref := srv.push(t, "web", imageOf(t, plainLayer(blob)))
	var calls atomic.Int32
	silent, registry := stall(blob), &flaky{blob: blob, acceptsRanges: true}
	srv.setMeddle(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, digestOf(blob)) && calls.Add(1) == 1 {
			return silent(w, r)
		}
		return registry.serve(w, r)
	})
	img, err := pull(t, newStore(t), ref, images.PullOptions{Unpack: u})
	require.NoError(t, err)
	require.True(t, u.Has(img.Top()))
	require.NotZero(t, registry.asked())
}

// TestATarThatIsBadIsNotWaitedFor has the one who decompresses ahead wait for
// the registry when the unpacking fails.
func TestATarThatIsBadIsNotWaitedFor(t *testing.T) {
	srv, dir, u := newServer(t), t.TempDir(), newTrees()
	u.gate = make(chan struct{})
	blob := []byte(noise(1, 3<<20))
	ref := srv.push(t, "web", imageOf(t, plainLayer(blob)))
	srv.setMeddle(stall(blob))
	s := openStore(t, dir)
	ended := make(chan error, 1)
	go func() {
		_, err := s.Pull(t.Context(), ref, images.PullOptions{Unpack: u})
		ended <- err
	}()
	awaitHalf(t, dir, blob)
	close(u.gate)
	select {
	case err := <-ended:
		require.ErrorIs(t, err, tar.ErrHeader)
	case <-time.After(patience):
		require.Fail(t, "the pull waits for a registry of which it needs nothing more")
	}
	require.Eventually(t, func() bool {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		return !bytes.Contains(stacks, []byte("readahead.")) && !bytes.Contains(stacks, []byte("images.(*"))
	}, patience, 5*time.Millisecond, "a goroutine is left")
	require.NoError(t, s.Sweep(images.SweepOptions{}))
	require.Zero(t, blobs(t, dir))
	valid(t, dir)
}

// TestAKilledPullIsContinuedByTheNext has another process pull, and ends it by SIGKILL
// in the middle of a layer.
func TestAKilledPullIsContinuedByTheNext(t *testing.T) {
	if name := os.Getenv("IMAGES_PULL"); name != "" {
		_, err := openStore(t, os.Getenv("IMAGES_PULL_TO")).Pull(t.Context(), parse(t, name), images.PullOptions{Unpack: newTrees()})
		t.Fatal("it should have been killed: ", err)
	}
	srv, dir := newServer(t), t.TempDir()
	blob := tarOf("a=" + noise(1, 3<<20))
	ref := srv.push(t, "web", imageOf(t, layerOf(t, compression.GZip, tarOf("base=1")), plainLayer(blob)))
	srv.setMeddle(stall(blob))
	child := exec.Command(os.Args[0], "-test.run=^TestAKilledPullIsContinuedByTheNext$")
	child.Env = append(os.Environ(), "IMAGES_PULL="+ref.String(), "IMAGES_PULL_TO="+dir)
	require.NoError(t, child.Start())
	awaitHalf(t, dir, blob)
	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())

	registry := &flaky{blob: blob, acceptsRanges: true}
	srv.setMeddle(registry.serve)
	s, u := openStore(t, dir), newTrees()
	list, err := s.List()
	require.NoError(t, err)
	require.Empty(t, list)
	img, err := pull(t, s, ref, images.PullOptions{Unpack: u})
	require.NoError(t, err)
	require.True(t, u.Has(img.Top()))
	require.Equal(t, 1, registry.asked(), "only the rest was asked for")
	require.NoError(t, s.Sweep(images.SweepOptions{})) // the lease of the dead
	valid(t, dir)
}

const stalls = 2 << 20 // bytes

// stall sends most of a blob, and no more.
func stall(blob []byte) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, digestOf(blob)) {
			return false
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(blob)))
		_, _ = w.Write(blob[:stalls])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return true
	}
}

// awaitHalf waits until what stall sends of the blob has arrived in the store.
func awaitHalf(t *testing.T, dir string, blob []byte) {
	t.Helper()
	require.Eventually(t, func() bool {
		st, err := os.Stat(filepath.Join(dir, "ingest", digestOf(blob)[7:]))
		return err == nil && st.Size() >= stalls
	}, patience, 5*time.Millisecond)
}

func TestAnInterruptedPullLeavesNothingAfterASweep(t *testing.T) {
	srv, dir := newServer(t), t.TempDir()
	blob := tarOf("a=" + noise(1, 1<<20))
	ref := srv.push(t, "web", imageOf(t, plainLayer(blob), plainLayer(tarOf("b=2"))))
	srv.setMeddle(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, digestOf(blob)) {
			http.Error(w, `{"errors":[{"code":"DENIED"}]}`, http.StatusForbidden)
			return true
		}
		return false
	})
	s := openStore(t, dir)
	_, err := pull(t, s, ref, images.PullOptions{Unpack: newTrees()})
	require.ErrorIs(t, err, images.ErrUnauthorized)
	require.NoError(t, s.Sweep(images.SweepOptions{}))
	require.Zero(t, blobs(t, dir))
	valid(t, dir)
}

func TestPullsAtOnceFetchEverythingOnce(t *testing.T) {
	srv, dir := newServer(t), t.TempDir()
	img := simple(t, "a="+noise(1, 1<<20), "b="+noise(2, 1<<20), "c="+noise(3, 1<<20))
	ref := srv.push(t, "web", img)
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			u := newTrees()
			got, err := pull(t, openStore(t, dir), ref, images.PullOptions{Unpack: u}) // a Store each, as processes have
			if err != nil || got.ID != id(t, img) || !u.Has(got.Top()) {
				t.Errorf("%v, %v", got.ID, err)
			}
		})
	}
	group.Wait()
	layers, err := img.Layers()
	require.NoError(t, err)
	all := srv.requests("GET")
	for _, l := range layers {
		digest, err := l.Digest()
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(strings.Join(all, "\n"), digest.String()))
	}
	valid(t, dir)
}
