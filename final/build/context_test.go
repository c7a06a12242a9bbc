package build

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cutaway/chapters/lab"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { lab.Main(m, lab.Plain) }

// plant makes files; "->" in a content makes a link, a name with "/" at its end a directory.
func plant(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		target, link := strings.CutPrefix(content, "->")
		switch {
		case strings.HasSuffix(name, "/"):
			require.NoError(t, os.MkdirAll(file, 0o755))
		case link:
			require.NoError(t, os.Symlink(target, file))
		default:
			require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		}
	}
	return dir
}

// names lists what is in a directory.
func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if name != dir {
			list = append(list, strings.TrimPrefix(name, dir+"/"))
		}
		return err
	}))
	return list
}

func TestWhatIsSentIsWhatIsReceived(t *testing.T) {
	from := plant(t, map[string]string{
		"Dockerfile": "FROM x", ".dockerignore": "*.log\nDockerfile\nout\n!out/keep\nnone", "a": "1", "b.log": "", "d/c": "2", "d/l": "->/etc/passwd",
		"out/x": "", "out/keep": "3", "empty/": "", "none/y": "", "ünïcode name": "4",
	})
	when := time.Date(2020, 1, 2, 3, 4, 5, 600, time.UTC)
	require.NoError(t, os.Chtimes(from+"/d", when, when))
	require.NoError(t, os.Chmod(from+"/a", 0o751))
	var archive bytes.Buffer
	require.NoError(t, Sending{Dir: from, Dockerfile: "Dockerfile"}.Send(&archive))
	to := t.TempDir()
	require.NoError(t, Receive(&archive, to))
	require.Equal(t, []string{".dockerignore", "Dockerfile", "a", "d", "d/c", "d/l", "empty", "out", "out/keep", "ünïcode name"}, names(t, to))
	info, err := os.Stat(to + "/d")
	require.NoError(t, err)
	require.True(t, info.ModTime().Equal(when.Truncate(time.Second)))
	info, err = os.Stat(to + "/a")
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o751), info.Mode())
	require.NoError(t, Trim(to))
	require.Equal(t, []string{".dockerignore", "a", "d", "d/c", "d/l", "empty", "out", "out/keep", "ünïcode name"}, names(t, to), "what the engine needed is no part of it")
}

func TestADockerfileFromElsewhereIsNoPartOfTheContext(t *testing.T) {
	var archive bytes.Buffer
	s := Sending{Dir: plant(t, map[string]string{"a": "1"}), Dockerfile: ".dockerfile.x", Text: []byte("FROM x\n")}
	require.NoError(t, s.Send(&archive))
	to := t.TempDir()
	require.NoError(t, Receive(&archive, to))
	d, err := Open(to, ".dockerfile.x")
	require.NoError(t, err)
	require.Equal(t, "Dockerfile", d.name)
	require.NoError(t, Trim(to))
	require.Equal(t, []string{"a"}, names(t, to))
}

func TestTheLastEntryOfANameCounts(t *testing.T) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeReg, Name: "a/x", Size: 1, Mode: 0o644},
		{Typeflag: tar.TypeReg, Name: "a/x", Size: 1, Mode: 0o600},
		{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "a"},
		{Typeflag: tar.TypeReg, Name: "l/y", Size: 1},
		{Typeflag: tar.TypeDir, Name: "e"},
		{Typeflag: tar.TypeSymlink, Name: "e", Linkname: "a"},
		{Typeflag: tar.TypeReg, Name: "e/z", Size: 1},
		{Typeflag: tar.TypeLink, Name: "h", Linkname: "a/x"},
	} {
		require.NoError(t, w.WriteHeader(&h))
		if h.Size > 0 {
			_, err := w.Write([]byte("1"))
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	to := t.TempDir()
	require.NoError(t, Receive(&archive, to))
	require.Equal(t, []string{"a", "a/x", "a/y", "a/z", "e", "h", "l"}, names(t, to))
	info, err := os.Stat(to + "/a/x")
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
}

func TestTheCacheForgetsWhatIsGone(t *testing.T) {
	dir, here := t.TempDir(), map[string]bool{"sha256:1": true, "sha256:2": true}
	has := func(id string) bool { return here[id] }
	c, err := OpenCache(dir, has)
	require.NoError(t, err)
	k := Key{Parent: "p", Step: "RUN x"}
	require.NoError(t, c.Put(Built{k, "sha256:1", time.Unix(1, 0)}))
	require.NoError(t, c.Put(Built{k, "sha256:2", time.Unix(2, 0)}))
	require.NoError(t, os.WriteFile(dir+"/damaged.json", []byte("{"), 0o600))
	require.NoError(t, os.WriteFile(dir+"/3.json.new", nil, 0o600))
	c, err = OpenCache(dir, has)
	require.NoError(t, err)
	require.Equal(t, []string{"1.json", "2.json"}, names(t, dir))
	id, ok := c.Get(k)
	require.True(t, ok)
	require.Equal(t, "sha256:2", id, "the newest")
	require.Equal(t, []string{"sha256:1", "sha256:2"}, c.Children("p"))
	for _, other := range []Key{{}, {Parent: "q", Step: "RUN x"}, {Parent: "p", Step: "RUN y"}, {Parent: "p", Step: "RUN x", Args: []string{"A=1"}}, {Parent: "p", Step: "RUN x", Files: "f"}} {
		_, ok := c.Get(other)
		require.False(t, ok, "%v", other)
	}
	delete(here, "sha256:2")
	id, _ = c.Get(k)
	require.Equal(t, "sha256:1", id, "an image that is gone is no answer")
	parent, err := c.Forget("sha256:1")
	require.NoError(t, err)
	require.Equal(t, "p", parent)
	_, ok = c.Get(k)
	require.False(t, ok)
	require.Equal(t, []string{"2.json"}, names(t, dir))
}

// FuzzReceive: whatever is sent as a context, nothing is made outside of its directory.
func FuzzReceive(f *testing.F) {
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeReg, Name: "../x"}, {Typeflag: tar.TypeSymlink, Name: "a", Linkname: ".."}, {Typeflag: tar.TypeLink, Name: "a", Linkname: "../canary"},
	} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		require.NoError(f, w.WriteHeader(&h))
		require.NoError(f, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "a/y"}))
		require.NoError(f, w.Close())
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, archive []byte) {
		top := plant(t, map[string]string{"canary": "alive", "context/": "", "Dockerfile": ""})
		_ = Receive(bytes.NewReader(archive), top+"/context")
		_ = Trim(top + "/context")
		entries, err := os.ReadDir(top)
		require.NoError(t, err)
		require.Len(t, entries, 3)
		data, err := os.ReadFile(top + "/canary")
		require.NoError(t, err)
		require.Equal(t, "alive", string(data))
	})
}

func TestStagesThatAreNotNeededAreKnown(t *testing.T) {
	d, err := Parse("Dockerfile", []byte("FROM a AS x\nFROM b AS y\nFROM c AS z\nCOPY --from=y /f /\nFROM x AS last\nCOPY --from=2 /f /\nFROM y\n"))
	require.NoError(t, err)
	plain := func(s string) (string, error) { return s, nil }
	for target, want := range map[int][]int{0: {0}, 2: {1, 2}, 3: {0, 1, 2, 3}, 4: {1, 4}} {
		need, err := d.needed(target, plain)
		require.NoError(t, err)
		require.Equal(t, want, slices.Sorted(maps.Keys(need)))
	}
}
