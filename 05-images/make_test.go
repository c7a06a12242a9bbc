package images_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/iotest"

	images "cutaway/05-images"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"github.com/ulikunitz/xz"
)

// A short stream whose header asks for 4 GB (xz-file-format.txt, 5.3.1).
func TestAStreamThatWantsTooMuchMemoryIsRefused(t *testing.T) {
	var buf bytes.Buffer
	w, err := xz.NewWriter(&buf)
	require.NoError(t, err)
	_, err = w.Write([]byte("hello"))
	require.NoError(t, errors.Join(err, w.Close()))
	bomb := buf.Bytes()
	bomb[16] = 40 // the size of the dictionary
	binary.LittleEndian.PutUint32(bomb[20:], crc32.ChecksumIEEE(bomb[12:20]))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = images.Decompress(bytes.NewReader(bomb))
	require.ErrorContains(t, err, "dictionary size exceeds max")
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(256<<20))
}

func TestAnImageIsMadeOnTopOfAnother(t *testing.T) {
	dir, u := t.TempDir(), newTrees()
	s := openStore(t, dir)
	below, err := s.Add(simple(t, "a=1"), "below", u)
	require.NoError(t, err)
	img, err := s.Make(images.Draft{
		Below: below, Layer: bytes.NewReader(tarOf("b=2")), Name: "made:1",
		Config: v1.ConfigFile{OS: "linux", Architecture: "amd64", Config: v1.Config{Cmd: []string{"b"}}},
		Step:   v1.History{CreatedBy: "hand"},
	}, u)
	require.NoError(t, err)
	require.Equal(t, []string{"made:1"}, img.Names)
	require.Equal(t, "a=1\nb=2\n", u.tree(img.Top()))
	require.Equal(t, below.Layers[0].Digest, img.Layers[0].Digest)
	require.Equal(t, []string{"b"}, img.Config.Config.Cmd)
	require.Equal(t, "hand", img.History()[0].CreatedBy)
	require.Equal(t, &img.Layers[1], img.History()[0].Layer)

	same, err := s.Make(images.Draft{Below: img, Layer: bytes.NewReader(tarOf()), Config: *img.Config}, u)
	require.NoError(t, err)
	require.Equal(t, img.Layers, same.Layers, "an archive without entries is no layer")
	require.Nil(t, same.History()[0].Layer)
	valid(t, dir)
}

func TestALayerComesPackedInAnyWay(t *testing.T) {
	u := newTrees()
	s := openStore(t, t.TempDir())
	packers := map[string]func(w io.Writer) (io.WriteCloser, error){
		"gzip": func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
		"zstd": func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) },
		"xz":   func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) },
	}
	for name, pack := range packers {
		var packed bytes.Buffer
		w, err := pack(&packed)
		require.NoError(t, err)
		_, err = w.Write(tarOf("a=" + name))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		img, err := s.Make(images.Draft{Layer: &packed, Config: v1.ConfigFile{OS: "linux", Architecture: "amd64"}}, u)
		require.NoError(t, err, name)
		require.Equal(t, "a="+name+"\n", u.tree(img.Top()))
	}
}

func TestAnImageThatIsNotMadeLeavesNothing(t *testing.T) {
	dir, u := t.TempDir(), newTrees()
	s := openStore(t, dir)
	below, err := s.Add(simple(t, "a=1"), "below", u)
	require.NoError(t, err)
	before := files(t, dir)
	broken := errors.New("broken")
	for _, layer := range []io.Reader{
		io.MultiReader(bytes.NewReader(tarOf("b=2")[:600]), iotest.ErrReader(broken)),
		bytes.NewReader(bytes.Repeat([]byte("no archive "), 200)),
	} {
		_, err = s.Make(images.Draft{Below: below, Layer: layer, Name: "made"}, u)
		require.Error(t, err)
		require.Equal(t, before, files(t, dir))
	}
	_, err = s.Make(images.Draft{Below: below, Name: "Not a name"}, u)
	require.ErrorIs(t, err, images.ErrReference)
	_, err = s.Remove("below", images.RemoveOptions{})
	require.NoError(t, err)
	_, err = s.Make(images.Draft{Below: below, Layer: bytes.NewReader(tarOf("b=2"))}, u)
	require.ErrorIs(t, err, images.ErrNotFound, "the image below is gone")
}

// files lists all files of a store, without the directories' own.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	}))
	return names
}
