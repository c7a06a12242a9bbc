package engine

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	daemon "cutaway/07-daemon"

	"github.com/stretchr/testify/require"
)

func ownerOf(info fs.FileInfo) string {
	st, _ := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d:%d", st.Uid, st.Gid)
}

// copies are instructions, and what they leave below /d of an image in which /d
// does not exist, unless before makes it.
var copies = []struct {
	name, before, do string
	want             []string
}{
	{"a file", "", "COPY one /d", []string{"/d -rw-r--r-- 0:0 1"}},
	{"a file into a directory that is to be", "", "COPY one /d/", []string{"/d drwxr-xr-x 0:0", "/d/one -rw-r--r-- 0:0 1"}},
	{"a file into one that is there", "RUN mkdir -m 700 /d", "COPY one /d", []string{"/d drwx------ 0:0", "/d/one -rw-r--r-- 0:0 1"}},
	{"into the working directory", "WORKDIR /d", "COPY one sub/two ./", []string{"/d drwxr-xr-x 0:0", "/d/one -rw-r--r-- 0:0 1", "/d/two -rwxr-x--- 0:0 2"}},
	{"what is in a directory", "", "COPY sub /d", []string{"/d drwxr-xr-x 0:0", "/d/link Lrwxrwxrwx 0:0 -> two", "/d/two -rwxr-x--- 0:0 2"}},
	{"a link that is named is followed", "", "COPY sub/link /d", []string{"/d -rwxr-x--- 0:0 2"}},
	{"a wildcard", "", "COPY o* /d/", []string{"/d drwxr-xr-x 0:0", "/d/one -rw-r--r-- 0:0 1"}},
	{"a wildcard that stands for nothing", "", "COPY on? no* /d", []string{"/d -rw-r--r-- 0:0 1"}},
	{"numbers for an owner", "", "COPY --chown=7:8 one /d/", []string{"/d drwxr-xr-x 7:8", "/d/one -rw-r--r-- 7:8 1"}},
	{"a name for an owner", "", "COPY --chown=guest one /d", []string{"/d -rw-r--r-- 1000:1000 1"}},
	{"a mode", "", "COPY --chmod=0600 sub/two /d/", []string{"/d drwxr-xr-x 0:0", "/d/two -rw------- 0:0 2"}},
	{"left out", "", "COPY --exclude=t* sub /d", []string{"/d drwxr-xr-x 0:0", "/d/link Lrwxrwxrwx 0:0 -> two"}},
	{"left out of what a wildcard finds", "", "COPY --exclude=*.tgz --exclude=two * /d/", []string{"/d drwxr-xr-x 0:0", "/d/Dockerfile -rw-r--r-- 0:0 FROM cutaway/toolbox\n\nCOPY --exclude=*.tgz --exclude=two * /d/\n", "/d/link Lrwxrwxrwx 0:0 -> two", "/d/one -rw-r--r-- 0:0 1"}},
	{"with its parents", "", "COPY --parents sub/two /d/", []string{"/d drwxr-xr-x 0:0", "/d/sub drwxr-xr-x 0:0", "/d/sub/two -rwxr-x--- 0:0 2"}},
	{"by way of a link", "RUN mkdir /real && ln -s real /d", "COPY one /d/x/", []string{"/d Lrwxrwxrwx 0:0 -> real"}},
	{"a text", "ENV N=5", "COPY <<EOF /d\nn=$N \"q\"\nEOF", []string{"/d -rw-r--r-- 0:0 n=5 \"q\"\n"}},
	{"a text as it is", "ENV N=5", "COPY <<'EOF' /d\nn=$N\nEOF", []string{"/d -rw-r--r-- 0:0 n=$N\n"}},
	{"an archive, copied", "", "COPY a.tgz /d/", nil},
	{"an archive, added", "", "ADD a.tgz /d/", []string{"/d drwxr-xr-x 0:0", "/d/bin drwxr-xr-x 3:4", "/d/bin/tool urwxr-xr-x 3:4 t", "/d/bin/tool2 urwxr-xr-x 3:4 t"}},
	{"a file, added", "", "ADD one /d", []string{"/d -rw-r--r-- 0:0 1"}},
	{"from another image", "", "COPY --from=cutaway/toolbox /etc/hostname /d", []string{"/d -rw-r--r-- 0:0 toolbox\n"}},
}

// toolArchive is a packed archive with owners, a set-user-ID bit and a hard link.
func toolArchive(t *testing.T) string {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	w := tar.NewWriter(z)
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeDir, Name: "./bin/", Mode: 0o755, Uid: 3, Gid: 4},
		{Typeflag: tar.TypeReg, Name: "./bin/tool", Mode: 0o4755, Uid: 3, Gid: 4, Size: 1},
		{Typeflag: tar.TypeLink, Name: "bin/tool2", Linkname: "./bin/tool", Mode: 0o4755, Uid: 3, Gid: 4},
	} {
		h.ModTime = day
		require.NoError(t, w.WriteHeader(&h))
		if h.Size > 0 {
			_, err := w.Write([]byte("t"))
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	require.NoError(t, z.Close())
	return buf.String()
}

func TestCopyAndAddPutFilesWhereDockerDoes(t *testing.T) {
	w := open(t)
	f := files{"one": "1", "sub/two:750": "2", "sub/link": "->two", "a.tgz": toolArchive(t)}
	for _, row := range copies {
		f["Dockerfile"] = "FROM cutaway/toolbox\n" + row.before + "\n" + row.do + "\n"
		b, _ := w.must(f, daemon.BuildOptions{})
		if row.want == nil {
			require.Len(t, w.tree(b.id, "d"), 2, row.name)
			continue
		}
		require.Equal(t, row.want, w.tree(b.id, "d"), row.name)
		w.root(b.id, func(dir string) {
			for _, name := range []string{"d/one", "d/two"} {
				if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
					require.True(t, info.ModTime().Equal(day), "%s: times are kept", row.name)
				}
			}
		})
	}
	b, _ := w.must(files{"Dockerfile": "FROM cutaway/toolbox\nRUN mkdir /real && ln -s real /d\nCOPY one /d/x/\n", "one": "1"}, daemon.BuildOptions{})
	require.Equal(t, []string{"/real/x drwxr-xr-x 0:0", "/real/x/one -rw-r--r-- 0:0 1"}, w.tree(b.id, "real/x"))
}

func TestAStageTakesFromOthers(t *testing.T) {
	w := open(t)
	f := files{"Dockerfile": `ARG BASE=cutaway/toolbox
FROM $BASE AS first
ARG BASE
RUN mkdir /out && echo $BASE > /out/base && ln -s /etc/hostname /out/link && chown 5:6 /out/base && mkdir /out/empty
FROM scratch AS never
COPY nosuchfile /
FROM first AS second
RUN cat /out/base > /copy && rm /out/link
FROM scratch AS third
COPY --from=first /out /all
COPY --from=0 /out/link /followed
COPY --from=second --chown=1 /out/base /copy /two/
FROM third
RUN ["/bin/false"]
`}
	b, config := w.must(f, daemon.BuildOptions{Target: "third"})
	require.Equal(t, []string{
		"/all drwxr-xr-x 0:0", "/all/base -rw-r--r-- 5:6 cutaway/toolbox\n", "/all/empty drwxr-xr-x 0:0", "/all/link Lrwxrwxrwx 0:0 -> /etc/hostname",
	}, w.tree(b.id, "all"))
	require.Equal(t, []string{"/followed -rw-r--r-- 0:0 toolbox\n"}, w.tree(b.id, "followed"), "of that stage, not of the host")
	require.Equal(t, []string{"/two drwxr-xr-x 1:1", "/two/base -rw-r--r-- 1:1 cutaway/toolbox\n", "/two/copy -rw-r--r-- 1:1 cutaway/toolbox\n"}, w.tree(b.id, "two"))
	require.Len(t, config.RootFS.DiffIDs, 3)
	require.NotContains(t, b.out, "nosuchfile", "a stage that nobody needs is not built")
	require.ErrorContains(t, w.build(f, daemon.BuildOptions{Target: "nosuch"}).err, "nosuch")
}

func TestDockerignoreLeavesOut(t *testing.T) {
	w := open(t)
	f := files{
		"Dockerfile": "FROM scratch\nCOPY . /all\n", ".dockerignore": "# a comment\nDockerfile\n*.log\n**/tmp\n!sub/keep.log\nsub/*.log\nsecret\n!secret/public\n.dockerignore\n",
		"a.log": "", "b": "b", "sub/tmp/x": "", "sub/keep.log": "", "sub/c": "c", "tmp": "", "secret/key": "", "secret/public": "p",
	}
	b, _ := w.must(f, daemon.BuildOptions{})
	require.Equal(t, []string{
		"/all drwxr-xr-x 0:0", "/all/b -rw-r--r-- 0:0 b", "/all/secret drwxr-xr-x 0:0", "/all/secret/public -rw-r--r-- 0:0 p", "/all/sub drwxr-xr-x 0:0", "/all/sub/c -rw-r--r-- 0:0 c",
	}, w.tree(b.id, "all"))
	f["Dockerfile"] = "FROM scratch\nCOPY secret/key /\n"
	require.ErrorContains(t, w.build(f, daemon.BuildOptions{}).err, "excluded by .dockerignore")
}

// hostile are contexts that want to get out of theirs, and what a build says; ""
// is a build that succeeds and has nothing of the host's.
var hostile = []struct {
	name    string
	entries []tar.Header
	do      string
	says    string
}{
	{"a name with dots", []tar.Header{{Typeflag: tar.TypeReg, Name: "../../escaped"}}, "", "leads out"},
	{"an absolute name", []tar.Header{{Typeflag: tar.TypeReg, Name: "/escaped"}}, "COPY escaped /", ""},
	{"through a link", []tar.Header{{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "OUTSIDE"}, {Typeflag: tar.TypeReg, Name: "a/escaped"}}, "", "unpack the context"},
	{"through a link with dots", []tar.Header{{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "../../.."}, {Typeflag: tar.TypeReg, Name: "a/escaped"}}, "", "unpack the context"},
	{"a hard link", []tar.Header{{Typeflag: tar.TypeLink, Name: "a", Linkname: "../../secret"}}, "", "leads out"},
	{"a hard link through a link", []tar.Header{{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "OUTSIDE"}, {Typeflag: tar.TypeLink, Name: "b", Linkname: "a/secret"}}, "", "unpack the context"},
	{"a device", []tar.Header{{Typeflag: tar.TypeChar, Name: "mem", Devmajor: 1, Devminor: 1}}, "", "leave this one out"},
	{"a link to a file", []tar.Header{{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "OUTSIDE/secret"}}, "COPY a /", "not found"},
	{"a link to a directory", []tar.Header{{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "OUTSIDE"}}, "COPY a/secret /", "not found"},
	{"a link, not followed", []tar.Header{{Typeflag: tar.TypeSymlink, Name: "d/a", Linkname: "OUTSIDE/secret"}}, "COPY d /d", ""},
	{"a wildcard through a link", []tar.Header{{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "OUTSIDE"}}, "COPY a/s* /", "not found"},
	{"a source with dots", nil, "COPY ../../secret /", "forbidden path"},
	{"a Dockerfile that is a link", []tar.Header{{Typeflag: tar.TypeSymlink, Name: "Dockerfile", Linkname: "OUTSIDE/secret"}}, "", "cannot locate"},
	{"an ignore file that is a link", []tar.Header{{Typeflag: tar.TypeSymlink, Name: ".dockerignore", Linkname: "OUTSIDE/secret"}}, "", ".dockerignore"},
	{"a whiteout", []tar.Header{{Typeflag: tar.TypeReg, Name: ".wh.etc"}}, "COPY .wh.etc /", ".wh."},
}

func TestAHostileContextIsContained(t *testing.T) {
	w := open(t)
	outside := t.TempDir()
	require.NoError(t, os.WriteFile(outside+"/secret", []byte("the host's"), 0o600))
	for _, row := range hostile {
		var buf bytes.Buffer
		out := tar.NewWriter(&buf)
		text := "FROM cutaway/toolbox\n" + row.do + "\n"
		require.NoError(t, out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "Dockerfile", Size: int64(len(text))}))
		_, err := out.Write([]byte(text))
		require.NoError(t, err)
		for _, h := range row.entries {
			h.Linkname = strings.Replace(h.Linkname, "OUTSIDE", outside, 1)
			require.NoError(t, out.WriteHeader(&h))
		}
		require.NoError(t, out.Close())
		b := w.build(nil, daemon.BuildOptions{Context: &buf})
		if row.says != "" {
			require.ErrorContains(t, b.err, row.says, row.name)
			require.Equal(t, daemon.Invalid, daemon.KindOf(b.err), row.name)
		} else {
			require.NoError(t, b.err, row.name)
		}
	}
	entries, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.NoFileExists(t, w.data("escaped"))
	require.NoFileExists(t, w.data("builds", "escaped"))
	b := w.build(nil, daemon.BuildOptions{Context: bytes.NewReader(files{"Dockerfile": "FROM scratch\n"}.tar(t, day).Bytes()[:515])})
	require.Equal(t, "build.Context", daemon.TopicOf(b.err).ID, "%v", b.err)
	w.nothingOfBuilds()
}

func TestAddFetches(t *testing.T) {
	w := open(t)
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		out.Header().Set("Last-Modified", day.Format(http.TimeFormat))
		if r.URL.Path == "/missing" {
			out.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = out.Write([]byte(toolArchive(t)))
	}))
	defer server.Close()
	add := func(line string) built {
		return w.build(files{"Dockerfile": "FROM scratch\nADD " + strings.ReplaceAll(line, "URL", server.URL) + "\n"}, daemon.BuildOptions{})
	}
	b := add("URL/a.tgz /d/")
	require.NoError(t, b.err)
	require.Contains(t, w.tree(b.id, "d")[1], "/d/a.tgz -rw------- 0:0", "a URL's archive stays one")
	require.Equal(t, "+", add("URL/a.tgz /d/").hits(), "it was fetched, and is the same")
	b = add("--unpack=true URL/a.tgz /d/")
	require.NoError(t, b.err)
	require.Len(t, w.tree(b.id, "d"), 4)
	require.ErrorContains(t, add("--checksum=sha256:00 URL/a.tgz /d/").err, "digest mismatch")
	require.ErrorContains(t, add("URL/missing /d/").err, "404")
	require.Equal(t, "build.Fetch", daemon.TopicOf(add("http://127.0.0.1:1/x /").err).ID)
	require.ErrorContains(t, add("https://example.org/x.git /").err, "git clone")
}
