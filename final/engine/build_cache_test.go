package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	daemon "cutaway/07-daemon"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// cached is a Dockerfile whose steps, and their order, the table below is about.
const cached = `FROM cutaway/toolbox
ENV E=1
COPY a.txt /a
RUN echo one
ARG A
RUN echo two
COPY dir /dir
CMD ["true"]
`

// anew are changes to a build, and which of its steps are done anew then:
// ENV, COPY, RUN, RUN, COPY, CMD.
var anew = []struct {
	name   string
	hits   string
	change func(f files, o *daemon.BuildOptions)
}{
	{"nothing", "++++++", func(files, *daemon.BuildOptions) {}},
	{"a file that is not copied", "++++++", func(f files, _ *daemon.BuildOptions) { f["other"] = "new" }},
	{"a file that is left out", "++++++", func(f files, _ *daemon.BuildOptions) { f["dir/skip.log"] = "new" }},
	{"a file's content", "+-----", func(f files, _ *daemon.BuildOptions) { f["a.txt"] = "new" }},
	{"a file's mode", "+-----", func(f files, _ *daemon.BuildOptions) { f["a.txt:755"] = f["a.txt"]; delete(f, "a.txt") }},
	{"a content in a directory", "++++--", func(f files, _ *daemon.BuildOptions) { f["dir/b"] = "new" }},
	{"a name in a directory", "++++--", func(f files, _ *daemon.BuildOptions) { f["dir/c"] = f["dir/b"]; delete(f, "dir/b") }},
	{"a directory's mode", "++++--", func(f files, _ *daemon.BuildOptions) { f["dir/:700"] = "" }},
	{"where a link leads", "++++--", func(f files, _ *daemon.BuildOptions) { f["dir/link"] = "->other" }},
	{"a comment", "++++++", func(f files, _ *daemon.BuildOptions) { f["Dockerfile"] = "# new\n" + f["Dockerfile"] }},
	{"an ENV", "------", replace("E=1", "E=2")},
	{"a command", "++----", replace("echo one", "echo 1")},
	{"a destination", "++++--", replace("dir /dir", "dir /dir2")},
	{"the last instruction", "+++++-", replace("true", "false")},
	{"an instruction less", "++---", replace("RUN echo one\n", "")},
	{"a build argument", "+++---", func(_ files, o *daemon.BuildOptions) { o.Args = map[string]*string{"A": new("1")} }},
	{"an argument that nobody asks for", "++++++", func(_ files, o *daemon.BuildOptions) { o.Args = map[string]*string{"B": new("1")} }},
	{"a proxy", "++++++", func(_ files, o *daemon.BuildOptions) { o.Args = map[string]*string{"HTTP_PROXY": new("http://p")} }},
	{"one more label", "++++++-", func(_ files, o *daemon.BuildOptions) { o.Labels = map[string]string{"a": "b"} }},
	{"no cache", "------", func(_ files, o *daemon.BuildOptions) { o.NoCache = true }},
}

func replace(old, with string) func(files, *daemon.BuildOptions) {
	return func(f files, _ *daemon.BuildOptions) {
		f["Dockerfile"] = strings.Replace(f["Dockerfile"], old, with, 1)
	}
}

func TestOnlyStepsThatChangedAreDoneAnew(t *testing.T) {
	w := open(t)
	same := func() files {
		return files{"Dockerfile": cached, ".dockerignore": "**/*.log", "a.txt": "a", "dir/b": "b", "dir/link": "->b", "dir/skip.log": "x", "other": "o"}
	}
	first := w.build(same(), daemon.BuildOptions{})
	require.NoError(t, first.err)
	require.Equal(t, "------", first.hits())
	later := w.build(same(), daemon.BuildOptions{Context: same().tar(t, day.Add(time.Hour))})
	require.Equal(t, "++++++", later.hits(), "times make no difference")
	require.Equal(t, first.id, later.id)
	for _, row := range anew {
		f, o := same(), daemon.BuildOptions{}
		row.change(f, &o)
		b := w.build(f, o)
		require.NoError(t, b.err, row.name)
		require.Equal(t, row.hits, b.hits(), row.name)
		if !o.NoCache && b.id != first.id {
			require.NotContains(t, w.build(f, o).hits(), "-", "%s, again", row.name)
		}
	}
	require.NotEqual(t, first.id, w.build(same(), daemon.BuildOptions{}).id, "what was done without the cache is the newest")
}

func TestTheCacheOutlivesTheEngineAndGoesWithTheImage(t *testing.T) {
	w := open(t)
	f := files{"Dockerfile": "FROM cutaway/toolbox\nRUN echo one > /one\nRUN echo two > /two\n"}
	b, _ := w.must(f, daemon.BuildOptions{Tags: []string{"app"}})
	require.NoError(t, w.Close())
	e, err := Open(w.o)
	require.NoError(t, err)
	w.Engine = e
	require.Equal(t, "++", w.build(f, daemon.BuildOptions{}).hits())

	list, err := imageStore{e}.List(w.ctx(), daemon.ImageListOptions{})
	require.NoError(t, err)
	require.Len(t, list, 2, "the step in between is not shown")
	list, err = imageStore{e}.List(w.ctx(), daemon.ImageListOptions{All: true})
	require.NoError(t, err)
	require.Len(t, list, 3)
	gone, err := imageStore{e}.Remove(w.ctx(), "app", daemon.ImageRemoveOptions{})
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(gone), b.id)
	list, err = imageStore{e}.List(w.ctx(), daemon.ImageListOptions{All: true})
	require.NoError(t, err)
	require.Len(t, list, 1, "it goes with the image that it led to")
	require.Equal(t, "--", w.build(f, daemon.BuildOptions{}).hits())
}

func TestWhatBuildsHaveLeftIsPruned(t *testing.T) {
	w := open(t)
	f := files{"Dockerfile": "FROM cutaway/toolbox\nRUN echo one > /one\nRUN echo two > /two\n"}
	w.must(f, daemon.BuildOptions{Tags: []string{"app"}})
	all := func() int { return len(w.cache.Images()) }
	failed := w.build(files{"Dockerfile": "FROM cutaway/toolbox\nRUN echo x > /x\nRUN false\n"}, daemon.BuildOptions{Keep: daemon.KeepNone})
	require.Error(t, failed.err)
	require.Equal(t, 3, all())
	report, err := w.PruneBuilds(w.ctx(), daemon.BuildPruneOptions{})
	require.NoError(t, err)
	require.Len(t, report.CachesDeleted, 2, "an image and its layer")
	require.EqualValues(t, 2, report.SpaceReclaimed)
	require.Equal(t, "++", w.build(f, daemon.BuildOptions{}).hits())
	_, err = w.PruneBuilds(w.ctx(), daemon.BuildPruneOptions{All: true})
	require.NoError(t, err)
	require.Equal(t, 1, all(), "the one with a name")
	require.Equal(t, "one\ntwo\n", w.in("app", "cat", "/one", "/two"))
	require.Equal(t, "--", w.build(f, daemon.BuildOptions{}).hits())
}

func TestABuildKeepsWhatOthersRemoveMeanwhile(t *testing.T) {
	w := open(t)
	f := files{"Dockerfile": "FROM cutaway/toolbox\nENV A=1\nCMD [\"x\"]\n"}
	done := make(chan struct{})
	var others errgroup.Group
	for _, remove := range []func() error{
		func() error {
			_, err := imageStore{w.Engine}.Remove(w.ctx(), "other", daemon.ImageRemoveOptions{})
			return err
		},
		func() error {
			_, err := w.PruneBuilds(w.ctx(), daemon.BuildPruneOptions{All: true})
			return err
		},
	} {
		others.Go(func() error {
			for {
				select {
				case <-done:
					return nil
				default:
				}
				if err := tidy(remove()); err != nil { // it is not there yet, or the build has it
					return err
				}
			}
		})
	}
	t.Cleanup(func() {
		close(done)
		require.NoError(t, others.Wait())
	})
	for n := range 50 {
		tag := []string{"app", "other"}[n%2]
		b := w.build(f, daemon.BuildOptions{Tags: []string{tag}})
		require.NoError(t, b.err, "%d: %s", n, b.out)
		if n%2 == 0 {
			_, err := imageStore{w.Engine}.Remove(w.ctx(), tag, daemon.ImageRemoveOptions{})
			require.NoError(t, err)
		}
	}
}
