package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	images "cutaway/05-images"
	daemon "cutaway/07-daemon"

	"github.com/moby/moby/api/types/jsonstream"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// kept lists what there is of images and layers on the disk.
func (w *world) kept() (files []string) {
	w.t.Helper()
	for _, dir := range []string{"images/blobs/sha256", "images/ingest", "images/leases", "layers/overlay/layers", "layers/overlay/l", "layers/overlay/tmp"} {
		entries, err := os.ReadDir(w.data(dir))
		if !errors.Is(err, fs.ErrNotExist) { // of another driver
			require.NoError(w.t, err)
		}
		for _, e := range entries {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files
}

func quiet(jsonstream.Message) {}

// saved is the toolbox as an archive.
func (w *world) saved() []byte {
	w.t.Helper()
	var archive bytes.Buffer
	require.NoError(w.t, w.Save(w.ctx(), daemon.SaveOptions{Refs: []string{"cutaway/toolbox"}}, &archive))
	return archive.Bytes()
}

// Whatever is cut off in the middle leaves nothing, and says whose fault it was.
func TestWhatIsInterruptedLeavesNothing(t *testing.T) {
	w := open(t)
	id := w.run(request("sh", "-c", "echo hi > /root/note"), "").id
	archive := w.saved()
	before := w.kept()
	gone := errors.New("the client went away")
	half := func() io.Reader {
		return io.MultiReader(bytes.NewReader(archive[:len(archive)/2]), iotest.ErrReader(gone))
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for name, try := range map[string]func() error{
		"load":   func() error { return w.Load(w.ctx(), daemon.LoadOptions{Archive: half()}, quiet) },
		"import": func() error { _, err := w.Import(w.ctx(), daemon.ImportOptions{Archive: half()}); return err },
		"load, and the client is gone": func() error {
			return w.Load(ended, daemon.LoadOptions{Archive: bytes.NewReader(archive)}, quiet)
		},
		"load noise": func() error {
			return w.Load(w.ctx(), daemon.LoadOptions{Archive: strings.NewReader(strings.Repeat("noise", 200))}, quiet)
		},
		"commit": func() error {
			_, err := w.Commit(w.ctx(), daemon.CommitOptions{Ref: id, Name: "Not a name"})
			return err
		},
	} {
		err := try()
		require.Error(t, err, name)
		require.Equal(t, daemon.Invalid, daemon.KindOf(err), "%s: %v", name, err)
		require.Equal(t, before, w.kept(), name)
	}
}

func TestAFullDiskLosesNothing(t *testing.T) {
	w := open(t)
	require.Zero(t, w.run(request("true"), "").code)
	archive := w.saved()
	id := w.create(request("true"))
	before := w.kept()

	// Everything of the store but what is there is on a file system that is full.
	ingest := w.data("images/ingest")
	require.NoError(t, unix.Mount("tmpfs", ingest, "tmpfs", 0, "size=1m"))
	defer func() { require.NoError(t, unix.Unmount(ingest, 0)) }()
	_, err := w.Import(w.ctx(), daemon.ImportOptions{Archive: bytes.NewReader(archive)})
	require.ErrorIs(t, err, unix.ENOSPC)
	require.Equal(t, daemon.Internal, daemon.KindOf(err))
	require.Equal(t, diskFull, daemon.TopicOf(err))
	err = w.Load(w.ctx(), daemon.LoadOptions{Archive: bytes.NewReader(archive)}, quiet)
	require.ErrorIs(t, err, unix.ENOSPC)
	require.Equal(t, before, w.kept())
	require.NoError(t, w.Start(w.ctx(), id))
}

// What an engine that was killed had half done, the next one sweeps up.
func TestWhatNobodyNeedsIsSweptAtTheNextStart(t *testing.T) {
	w := open(t)
	before := w.kept()
	require.NoError(t, os.WriteFile(w.data("images/ingest/.tmp-half"), []byte("half a layer"), 0o600))
	require.NoError(t, os.Mkdir(w.data("images/ingest/.tmp-load"), 0o700))
	require.NoError(t, os.WriteFile(w.data("images/blobs/sha256", strings.Repeat("a", 64)), []byte("nobody's"), 0o600))
	lower, upper := "sha256:"+strings.Repeat("b", 64), "sha256:"+strings.Repeat("c", 64)
	for _, l := range [][2]string{{lower, ""}, {upper, lower}} {
		_, err := w.layers.Apply(l[0], l[1], bytes.NewReader(make([]byte, 1024)))
		require.NoError(t, err)
	}
	require.NotEqual(t, before, w.kept())
	require.NoError(t, w.sweepImages(images.SweepOptions{Alone: true}))
	require.Equal(t, before, w.kept())
}

// An image that a container needs stays, with all its layers; one that nobody needs goes, with all of its.
func TestPruneRemovesWhatNobodyNeedsAndNothingElse(t *testing.T) {
	w := open(t)
	before := w.kept()
	id := w.run(request("sh", "-c", "echo hi > /note"), "").id
	first, err := w.Commit(w.ctx(), daemon.CommitOptions{Ref: id, Name: "first:1", Changes: []string{"CMD cat /note"}})
	require.NoError(t, err)
	require.NoError(t, w.images.Tag("first:1", "first:2"))
	child := request()
	child.Config.Image = "first:1"
	user := w.create(child)
	_, err = w.Commit(w.ctx(), daemon.CommitOptions{Ref: id, Comment: "nameless"})
	require.NoError(t, err)

	report, err := w.PruneImages(w.ctx(), daemon.Filters{"dangling": {"false"}})
	require.NoError(t, err)
	require.Len(t, report.ImagesDeleted, 1, "the nameless one; its layer is first's, too")
	_, err = w.images.Get("first:2")
	require.NoError(t, err)
	require.Equal(t, daemon.Conflict, daemon.KindOf(second(imageStore{w.Engine}.Remove(w.ctx(), first, daemon.ImageRemoveOptions{}))))
	require.Equal(t, "hi\n", w.run(child, "").stdout)

	pruned, err := w.PruneContainers(w.ctx(), daemon.Filters{})
	require.NoError(t, err)
	require.Contains(t, pruned.ContainersDeleted, user)
	require.EqualValues(t, 3, pruned.SpaceReclaimed)
	report, err = w.PruneImages(w.ctx(), daemon.Filters{})
	require.NoError(t, err)
	require.Empty(t, report.ImagesDeleted, "it has names")
	report, err = w.PruneImages(w.ctx(), daemon.Filters{"dangling": {"false"}})
	require.NoError(t, err)
	require.EqualValues(t, 3, report.SpaceReclaimed)
	require.Equal(t, before, w.kept())
}

func second[A any](_ A, err error) error { return err }
