package unionfs

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The two fuzz targets hand archives to a driver that merges and to one that does not, on top of the same image. Whatever the
// archive says: nothing outside changes, no half-made layer stays, both agree whether it is a layer, and if it is,
// what the tree is; and the layer's own archive says the same again.

// FuzzArchive makes archives byte by byte: it looks for what the parser and the unpacker do not expect.
//
//	go test -fuzz FuzzArchive -fuzztime 10m ./04-unionfs
func FuzzArchive(f *testing.F) {
	for _, c := range stacks {
		for _, layer := range c.layers {
			f.Add(archive(f, layer))
		}
	}
	p := newPair(f)
	f.Fuzz(func(t *testing.T, layer []byte) { p.try(t, layer) })
}

// FuzzEntries makes archives line by line, in the language of archive: it looks for an order of entries in which
// drivers differ.
func FuzzEntries(f *testing.F) {
	for _, c := range stacks {
		f.Add(strings.Join(c.layers, "\n"))
	}
	for _, c := range hostile {
		f.Add(aim(c.layer, "/out"))
	}
	p := newPair(f)
	f.Fuzz(func(t *testing.T, text string) {
		var buf bytes.Buffer
		tw := tar.NewWriter(&buf)
		for line := range strings.Lines(text) {
			if f := strings.Fields(line); len(f) < 2 {
				continue
			}
			h, content := parse(line)
			if tw.WriteHeader(h) != nil {
				return
			}
			_, _ = io.WriteString(tw, content)
		}
		_ = tw.Close()
		p.try(t, buf.Bytes())
	})
}

// pair is a store of each kind in a small file system of its own, beside a directory that must not change.
type pair struct {
	out, was string
	overlay  *Store
	vfs      *Store
}

func newPair(f *testing.F) *pair {
	f.Helper()
	dir := f.TempDir()
	require.NoError(f, unix.Mount("fuzz", dir, "tmpfs", 0, "size=64m"))
	f.Cleanup(func() { require.NoError(f, unix.Unmount(dir, unix.MNT_DETACH)) })
	p := &pair{out: filepath.Join(dir, "out")}
	script(f, dir, "mkdir out; echo secret > out/secret; ln -s / out/root")
	p.was = tree(f, p.out)
	for _, d := range []struct {
		name  string
		store **Store
	}{{"overlay", &p.overlay}, {"vfs", &p.vfs}} {
		s, err := Open(filepath.Join(dir, d.name), d.name)
		require.NoError(f, err)
		stack(f, s, archive(f, base), archive(f, "w gone\no var/log\nl lib usr/lib\nl usr/lib /var/log\nd a 0700 1:2\nf a/b 0600\nl b a"))
		*d.store = s
	}
	return p
}

func (p *pair) try(t *testing.T, layer []byte) {
	t.Helper()
	errs, shown := [2]error{}, [2]string{}
	for i, s := range []*Store{p.overlay, p.vfs} {
		_, errs[i] = s.Apply("fuzz", id(1), bytes.NewReader(layer))
		require.Equal(t, errs[i] == nil, s.Has("fuzz"))
		if errs[i] == nil {
			shown[i] = seen(t, s, "fuzz")
			b := diff(t, s, "fuzz")
			require.NoError(t, s.Remove("fuzz"))
			_, err := s.Apply("fuzz", id(1), bytes.NewReader(b))
			require.NoError(t, err, "the layer's own archive")
			require.Equal(t, shown[i], seen(t, s, "fuzz"), "the layer's own archive")
			require.NoError(t, s.Remove("fuzz"))
		}
		requireClean(t, s)
	}
	require.Equal(t, p.was, tree(t, p.out))
	require.Equal(t, errs[1] == nil, errs[0] == nil, "overlay: %v; vfs: %v", errs[0], errs[1])
	require.Equal(t, shown[1], shown[0])
}

// seen is the tree of a layer, mounted for a moment.
func seen(t *testing.T, s *Store, id string) string {
	t.Helper()
	target := filepath.Join(s.dir, "seen")
	require.NoError(t, os.MkdirAll(target, 0o755))
	m, err := s.Mount(id, target)
	require.NoError(t, err)
	require.NoError(t, m.Do())
	defer func() { require.NoError(t, m.Undo()) }()
	return tree(t, target)
}
