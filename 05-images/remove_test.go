package images_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	images "cutaway/05-images"

	"github.com/stretchr/testify/require"
)

// lines renders what was removed with names for the IDs.
func lines(img images.Image, removed []images.Removed) string {
	var out []string
	for _, r := range removed {
		line := "untagged " + r.Untagged
		if r.Deleted != "" {
			line = "deleted " + r.Deleted
		}
		out = append(out, line)
	}
	text := strings.Join(out, "; ")
	for i, l := range img.Layers {
		if l.ChainID != "" {
			text = strings.ReplaceAll(text, l.ChainID, fmt.Sprintf("layer%d", i))
		}
	}
	return strings.NewReplacer(img.ID, "image", img.Manifest, "manifest").Replace(text)
}

func TestRemovingFollowsDockersRules(t *testing.T) {
	const (
		none    = ""
		stopped = "stopped"
		running = "running"
	)
	for _, row := range []struct {
		names     string // of the image, besides the digest x@manifest if it was pulled as x
		remove    string
		container string
		force     string
		want      string // or the error, after "!"
	}{
		{"a", "a", none, "", "untagged a:latest; deleted image; deleted layer1; deleted layer0"},
		{"a", "ID", none, "", "untagged a:latest; deleted image; deleted layer1; deleted layer0"},
		{"a b", "a", none, "", "untagged a:latest"},
		{"a b", "a", running, "", "untagged a:latest"},
		{"a b", "ID", none, "", "!(must be forced) - image is referenced in multiple repositories"},
		{"a b", "ID", none, "force", "untagged a:latest; untagged b:latest; deleted image; deleted layer1; deleted layer0"},
		{"a b", "ID", running, "force", "!(cannot be forced) - image is being used by running container c1"},
		{"a", "a", stopped, "", "!unable to remove repository reference \"a:latest\" (must force) - container c1 is using"},
		{"a", "a", stopped, "force", "untagged a:latest; deleted image; deleted layer1; deleted layer0"},
		{"a", "a", running, "", "!(must force) - container c1 is using"},
		{"a", "a", running, "force", "untagged a:latest"},
		{"a", "ID", stopped, "", "!(must be forced) - image is being used by stopped container c1"},
		{"a", "ID", running, "", "!(cannot be forced) - image is being used by running container c1"},
		{"", "ID", none, "", "deleted image; deleted layer1; deleted layer0"},
		{"", "ID", stopped, "", "!must be forced"},
		{"x", "x", none, "", "untagged x:latest; untagged x@manifest; deleted image; deleted layer1; deleted layer0"},
		{"x", "x@manifest", none, "", "untagged x:latest; untagged x@manifest; deleted image; deleted layer1; deleted layer0"},
		{"x b", "x", none, "", "untagged x:latest; untagged x@manifest"},
		{"x b", "b", none, "", "untagged b:latest"},
		{"a", "b", none, "", "!no such image: b:latest"},
		{"", "ID", none, "nameless", "deleted image; deleted layer1; deleted layer0"},
		{"a", "ID", none, "nameless", "!it is called a:latest"},
	} {
		t.Run(strings.Join([]string{row.names, "rmi", row.remove, row.container, row.force}, " "), func(t *testing.T) {
			dir := t.TempDir()
			s := openStore(t, dir)
			img := imageWithNames(t, s, row.names)
			ref := strings.NewReplacer("ID", img.ID[7:19], "manifest", img.Manifest).Replace(row.remove)
			done, err := s.Remove(ref, images.RemoveOptions{Force: row.force == "force", Nameless: row.force == "nameless", InUse: func(id string) (string, bool) {
				require.Equal(t, img.ID, id)
				return map[string]string{stopped: "c1", running: "c1"}[row.container], row.container == running
			}})
			if message, ok := strings.CutPrefix(row.want, "!"); ok {
				require.ErrorContains(t, err, message)
				require.True(t, errors.Is(err, images.ErrConflict) || errors.Is(err, images.ErrNotFound))
				return
			}
			require.NoError(t, err)
			want := row.want
			if strings.HasPrefix(row.names, "x") { // which of the names comes first is all the same
				require.ElementsMatch(t, strings.Split(want, "; "), strings.Split(lines(img, done), "; "))
			} else {
				require.Equal(t, want, lines(img, done))
			}
			valid(t, dir)
			if strings.Contains(want, "deleted image") {
				require.Zero(t, blobs(t, dir))
			}
		})
	}
}

// imageWithNames adds an image; the name x also gets it a digest, as pulling does.
func imageWithNames(t *testing.T, s *images.Store, names string) images.Image {
	t.Helper()
	made := simple(t, "a=1", "b=2")
	img, err := s.Add(made, "", nil)
	require.NoError(t, err)
	for name := range strings.FieldsSeq(names) {
		if name == "x" {
			srv := newServer(t)
			ref := srv.push(t, "x", made)
			_, err := pull(t, s, ref, images.PullOptions{})
			require.NoError(t, err)
			// As if it were from Docker Hub: without the host, which differs each time.
			require.NoError(t, images.Rename(s, srv.host+"/x", "x"))
			continue
		}
		require.NoError(t, s.Tag(img.ID, name))
	}
	img, err = s.Get(img.ID)
	require.NoError(t, err)
	return img
}

func TestOnlyLayersThatNobodyNeedsAreDropped(t *testing.T) {
	s, u := newStore(t), newTrees()
	one, err := s.Add(simple(t, "base=1", "a=1"), "one", u)
	require.NoError(t, err)
	_, err = s.Add(simple(t, "base=1", "b=2"), "two", u)
	require.NoError(t, err)
	var dropped []string
	drop := func(chainID string) error {
		dropped = append(dropped, chainID)
		return nil
	}
	done, err := s.Remove("one", images.RemoveOptions{Drop: drop})
	require.NoError(t, err)
	require.Equal(t, []string{one.Top()}, dropped)
	require.Equal(t, "untagged one:latest; deleted image; deleted layer1", lines(one, done))
}

func TestALayerThatAContainerNeedsStays(t *testing.T) {
	s := newStore(t)
	img, err := s.Add(simple(t, "base=1", "a=1"), "one", nil)
	require.NoError(t, err)
	inUse := func(chainID string) error { return fmt.Errorf("%s: %w", chainID, images.ErrConflict) }
	done, err := s.Remove("one", images.RemoveOptions{Drop: inUse})
	require.NoError(t, err)
	require.Equal(t, "untagged one:latest; deleted image", lines(img, done))
}

// TestRemovingDoesNotDisturbPulling removes an image again and again while others that
// share its layers are pulled: every pull must end with an image that is whole.
func TestRemovingDoesNotDisturbPulling(t *testing.T) {
	srv, dir := newServer(t), t.TempDir()
	shared := "base=" + noise(1, 100_000)
	one := srv.push(t, "one", simple(t, shared, "a=1"))
	two := srv.push(t, "two", simple(t, shared, "b=2"))
	u := &droppable{trees: newTrees()}
	stop := make(chan struct{})
	var group sync.WaitGroup
	end := sync.OnceFunc(func() {
		close(stop)
		group.Wait()
	})
	t.Cleanup(end)
	group.Go(func() {
		s := openStore(t, dir)
		for {
			select {
			case <-stop:
				return
			default:
			}
			_, err := s.Remove(one.String(), images.RemoveOptions{Drop: u.drop})
			if err != nil && !errors.Is(err, images.ErrNotFound) {
				t.Error(err)
				return
			}
		}
	})
	s := openStore(t, dir)
	for range 15 {
		_, err := pull(t, s, one, images.PullOptions{Unpack: u})
		require.NoError(t, err)
		img, err := pull(t, s, two, images.PullOptions{Unpack: u})
		require.NoError(t, err)
		require.True(t, u.Has(img.Top()) && u.Has(img.Layers[0].ChainID))
		_, err = s.Remove(two.String(), images.RemoveOptions{Drop: u.drop})
		require.NoError(t, err)
	}
	end()
	valid(t, dir)
}

// droppable is an Unpacker whose layers can be removed.
type droppable struct{ *trees }

func (d *droppable) drop(chainID string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.layers, chainID)
	return nil
}

func TestTheLeaseOfADeadProcessCountsNoMore(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	require.NoError(t, images.LeakLease(s, "sha256:abc"))
	require.NoError(t, s.Sweep(images.SweepOptions{}))
	valid(t, dir)
}
