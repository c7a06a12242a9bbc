package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	daemon "cutaway/07-daemon"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/stretchr/testify/require"
)

// files is a context: a name and its content. A name with a colon has a mode
// ("run.sh:755"), one that ends in a slash before that is a directory, and "->" in a content makes a link.
type files map[string]string

// day is when the files of a context were changed last, if nobody says.
var day = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// tar is the archive that a client sends.
func (f files) tar(t *testing.T, changed time.Time) *bytes.Buffer {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		content := f[name]
		name, mode, _ := strings.Cut(name, ":")
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content)), ModTime: changed}
		if mode != "" {
			_, err := fmt.Sscanf(mode, "%o", &h.Mode)
			require.NoError(t, err)
		}
		if strings.HasSuffix(name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if target, ok := strings.CutPrefix(content, "->"); ok {
			h.Typeflag, h.Linkname, h.Size, content = tar.TypeSymlink, target, 0, ""
		}
		require.NoError(t, w.WriteHeader(h))
		_, err := w.Write([]byte(content))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return &buf
}

// built is how a build ended.
type built struct {
	id, out string
	err     error
}

// build builds a context with these options.
func (w *world) build(f files, o daemon.BuildOptions) (b built) {
	w.t.Helper()
	return w.buildUntil(w.ctx(), f, o, func(string) {})
}

// buildUntil shows each line of the output to watch.
func (w *world) buildUntil(ctx context.Context, f files, o daemon.BuildOptions, watch func(line string)) (b built) {
	w.t.Helper()
	if o.Context == nil {
		o.Context = f.tar(w.t, day)
	}
	if o.Dockerfile == "" {
		o.Dockerfile = "Dockerfile"
	}
	b.id, b.err = w.Build(ctx, o, func(m jsonstream.Message) {
		b.out += m.Stream
		watch(m.Stream)
	})
	return b
}

// must builds, and returns the image's configuration.
func (w *world) must(f files, o daemon.BuildOptions) (built, *v1.ConfigFile) {
	w.t.Helper()
	b := w.build(f, o)
	require.NoError(w.t, b.err, "%s", b.out)
	img, err := w.images.Get(b.id)
	require.NoError(w.t, err)
	return b, img.Config
}

// in runs a command in a container of an image, and returns its output.
func (w *world) in(image string, args ...string) string {
	w.t.Helper()
	return w.ran(image, args...).stdout
}

func (w *world) ran(image string, args ...string) outcome {
	w.t.Helper()
	req := request(args...)
	req.Config.Image, req.Config.Entrypoint = image, []string{""}
	out := w.run(req, "")
	require.Zero(w.t, out.code, "%s", out.stderr)
	return out
}

// hits shows for each step of a build whether it was known: "+" or "-".
func (b built) hits() (s string) {
	for step := range strings.SplitSeq(b.out, "Step ") {
		_, text, _ := strings.Cut(step, " : ")
		name, _, _ := strings.Cut(text, " ")
		switch {
		case text == "" || name == "FROM" || name == "ARG":
		case strings.Contains(step, "Using cache"):
			s += "+"
		default:
			s += "-"
		}
	}
	return s
}

// nothingOfBuilds: a build has left no container, no layer, no mount, no file.
func (w *world) nothingOfBuilds() {
	w.t.Helper()
	require.Empty(w.t, w.all())
	layers, err := w.layers.List()
	require.NoError(w.t, err)
	require.False(w.t, slices.ContainsFunc(layers, func(id string) bool { return !strings.Contains(id, ":") }), "%v", layers)
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(w.t, err)
	require.NotContains(w.t, string(mounts), w.o.ExecRoot+"/builds")
	require.NotContains(w.t, string(mounts), w.o.DataRoot)
	for _, dir := range []string{w.exec("builds"), w.data("builds"), w.data("containers"), w.data("images", "leases"), w.data("images", "ingest")} {
		entries, err := os.ReadDir(dir)
		require.NoError(w.t, err)
		require.Empty(w.t, entries, dir)
	}
}

func TestABuildThatIsCancelledLeavesNothing(t *testing.T) {
	for name, row := range map[string]struct{ do, at string }{
		"while a command runs":   {"RUN sleep 1000", "Running in"},
		"when a command says so": {"RUN echo begun; sleep 1000", "begun"},
		"before files come":      {"COPY big /", " : COPY"},
		"before the first step":  {"RUN true", " : FROM"},
		"between two commands":   {"RUN true\nRUN true", "3/3"},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			ctx, cancel := context.WithCancel(w.ctx())
			f := files{"Dockerfile": "FROM cutaway/toolbox\n" + row.do + "\n", "big": strings.Repeat("x", 1<<20)}
			b := w.buildUntil(ctx, f, daemon.BuildOptions{}, func(line string) {
				if strings.Contains(line, row.at) {
					cancel()
				}
			})
			require.ErrorIs(t, b.err, context.Canceled)
			w.nothingOfBuilds()
		})
	}
}

func TestWhatABuildWasInTheMiddleOfIsSweptUp(t *testing.T) {
	w := open(t)
	bl := &builder{Engine: w.Engine}
	img, err := w.images.Get("cutaway/toolbox")
	require.NoError(t, err)
	_, err = bl.View(img.ID) // and never closed
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(w.data("builds", "build-1", "context"), 0o700))
	require.NoError(t, w.layers.Fork(newID(), img.Top()))
	running := w.create(request("sleep", "1000"))
	require.NoError(t, w.Start(w.ctx(), running))
	require.NoError(t, os.WriteFile(w.data("builds", running), nil, 0o600))
	require.NoError(t, w.Close())
	w.Engine, err = Open(w.o)
	require.NoError(t, err)
	w.nothingOfBuilds()
}

func TestACommandThatFailsIsToldWithItsLine(t *testing.T) {
	w := open(t)
	f := files{"Dockerfile": "FROM cutaway/toolbox\n# a comment\nRUN echo ok > /ok\n\nRUN printf 'so far\\n'; \\\n    printf 'bad\\n' >&2; \\\n    exit 7\n"}
	b := w.build(f, daemon.BuildOptions{Keep: daemon.KeepNone})
	require.ErrorContains(t, b.err, "Dockerfile:5: the command '/bin/sh -c printf 'so far\\n';")
	require.Contains(t, b.out, "so far\n")
	require.Contains(t, b.out, "bad\n")
	var failed interface{ ExitStatus() int }
	require.ErrorAs(t, b.err, &failed)
	require.Equal(t, 7, failed.ExitStatus())
	require.Equal(t, "build.Run", daemon.TopicOf(b.err).ID)
	w.nothingOfBuilds()

	b = w.build(f, daemon.BuildOptions{})
	require.Equal(t, "+-", b.hits(), "what went well is known")
	require.Len(t, w.all(), 1, "Docker keeps the container, to be looked at")
	got, err := w.Inspect(w.ctx(), w.all()[0].look().ID, daemon.InspectOptions{})
	require.NoError(t, err)
	require.Equal(t, 7, got.State.ExitCode)
	require.Equal(t, container.StateExited, got.State.Status)
}

// root is the files of an image on the disk, as the kernel shows them.
func (w *world) root(id string, look func(dir string)) {
	w.t.Helper()
	view, err := (&builder{Engine: w.Engine}).View(id)
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, view.Close()) }()
	look(view.Dir)
}

// tree lists names, modes, owners and contents.
func (w *world) tree(id, below string) (list []string) {
	w.t.Helper()
	w.root(id, func(dir string) {
		err := filepath.WalkDir(filepath.Join(dir, below), func(name string, d fs.DirEntry, err error) error {
			require.NoError(w.t, err)
			info, err := d.Info()
			require.NoError(w.t, err)
			content := ""
			switch {
			case info.Mode().IsRegular():
				data, err := os.ReadFile(name)
				require.NoError(w.t, err)
				content = " " + string(data)
			case info.Mode()&fs.ModeSymlink != 0:
				target, err := os.Readlink(name)
				require.NoError(w.t, err)
				content = " -> " + target
			}
			list = append(list, fmt.Sprintf("%s %v %s%s", strings.TrimPrefix(name, dir), info.Mode(), ownerOf(info), content))
			return nil
		})
		require.NoError(w.t, err)
	})
	return list
}
