package unionfs

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"cutaway/chapters/lab"
)

// noise is an archive of one file that no file system makes smaller.
func noise(t testing.TB, size int) []byte {
	t.Helper()
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	for i := range b {
		b[i] = 'a' + b[i]%26
	}
	return archive(t, "f noise 0644 "+string(b))
}

// gone reports whether device-mapper has no device of a name.
func gone(name string) bool {
	_, _, err := order{call: unix.DM_DEV_STATUS, name: name}.do()
	return errors.Is(err, unix.ENXIO)
}

// deleted fails if the store's pool has the device: to delete what is not there is an error.
func deleted(t *testing.T, s *Store, number uint32) {
	t.Helper()
	p, err := openPool(s.path("pool"))
	require.NoError(t, err)
	require.ErrorIs(t, p.message("delete %d", number), unix.ENODATA)
	require.NoError(t, p.Close())
}

func TestAFullPoolIsToldAndLosesNothing(t *testing.T) {
	lab.NeedRoot(t)
	s := reopen(t, poolDir(t, 64<<20))
	layer, top, made := noise(t, 8<<20), "", 0
	var err error
	for ; err == nil && made < 20; made++ {
		if _, err = s.Apply(id(made), top, bytes.NewReader(layer)); err == nil {
			top = id(made)
		}
	}
	require.ErrorIs(t, err, unix.ENOSPC)
	require.ErrorContains(t, err, "the pool is full, ")
	require.ErrorContains(t, err, filepath.Join(s.path("pool"), "data"))
	require.Greater(t, made, 3)
	t.Log(err)
	requireClean(t, s)
	require.False(t, s.Has(id(made-1)))
	require.ErrorContains(t, s.Fork("box", top), "the pool is full, ")
	b, err := os.ReadFile(filepath.Join(mounted(t, s, id(0)), "noise"))
	require.NoError(t, err)
	require.Len(t, b, 8<<20)

	require.NoError(t, s.Remove(top))
	require.NoError(t, s.Fork("box", id(0)), "there is room again")
}

func reopen(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, "devicemapper")
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestAPoolGrows(t *testing.T) {
	lab.NeedRoot(t)
	dir := poolDir(t, 64<<20)
	s := reopen(t, dir)
	stack(t, s, archive(t, base))
	require.NoError(t, s.Close())
	data := filepath.Join(s.path("pool"), "data")
	require.Eventually(t, func() bool { return gone(thin(s.path("pool"), 0).Pool) }, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, os.Truncate(data, 256<<20))
	s = reopen(t, dir)
	p, err := openPool(s.path("pool"))
	require.NoError(t, err)
	defer p.Close()
	_, answer, err := order{call: unix.DM_TABLE_STATUS, name: p.Pool}.do()
	require.NoError(t, err)
	require.Contains(t, string(answer), fmt.Sprintf("/%d ", 256<<20>>16))
}

// A process may be killed between any two of: number taken, number written down, device made, layer published.
func TestNoDeviceIsLeftWithoutALayer(t *testing.T) {
	lab.NeedRoot(t)
	dir := poolDir(t, 128<<20)
	require.NoError(t, poolFiles(filepath.Join(dir, "devicemapper/pool")))
	p, err := openPool(filepath.Join(dir, "devicemapper/pool"))
	require.NoError(t, err)
	require.NoError(t, p.message("create_thin 0"), "somebody began to make the base")
	require.NoError(t, p.Close())

	s := reopen(t, dir)
	stack(t, s, archive(t, base))
	made, err := s.draft("made", id(0))
	require.NoError(t, err)
	require.NoError(t, made.held.Close(), "killed before it published")
	require.NoError(t, os.MkdirAll(s.path("tmp", "written"), 0o700))
	require.NoError(t, os.WriteFile(s.path("tmp", "written", "device"), fmt.Append(nil, made.Device+1), 0o600))
	require.NoError(t, os.MkdirAll(s.path("tmp", "taken"), 0o700))
	require.NoError(t, os.WriteFile(s.path("tmp", "taken", "device"), nil, 0o600))

	s = reopen(t, dir)
	requireClean(t, s)
	deleted(t, s, made.Device)
	require.NoError(t, s.Fork("box", id(0)))
	l, err := s.layer("box")
	require.NoError(t, err)
	require.Greater(t, l.Device, made.Device, "a number is never given away twice")
	removeAllLayers(t, s)
	deleted(t, s, l.Device)
}

// The step must do what its command does, and leave no device.
func TestADeviceLivesAsLongAsItsMount(t *testing.T) {
	s := open(t, "devicemapper")
	require.NoError(t, s.Fork("box", stack(t, s, archive(t, base))))
	m, err := s.Mount("box", t.TempDir())
	require.NoError(t, err)
	require.True(t, gone(m.Thin.name()))
	require.NoError(t, m.Do())
	want := tree(t, m.Target)
	require.False(t, gone(m.Thin.name()))
	require.NoError(t, m.Undo())
	require.Eventually(t, func() bool { return gone(m.Thin.name()) }, 30*time.Second, 10*time.Millisecond)

	run(t, "bash", "-euc", m.String())
	require.NoError(t, m.verify())
	require.Equal(t, want, tree(t, m.Target))
	require.NoError(t, m.Undo())
	run(t, "dmsetup", "remove", m.Thin.name())
}
