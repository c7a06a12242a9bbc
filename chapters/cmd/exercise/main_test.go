package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cutaway/chapters/exercise"
	"cutaway/chapters/lab"
)

func TestMain(m *testing.M) { lab.Main(m, lab.RootOrSandbox) }

const root = "../../.."

func TestEveryChapterWithExercisesHasThemInItsPage(t *testing.T) {
	for _, l := range lists {
		old, err := os.ReadFile(filepath.Join(root, "chapters", l.Dir+".md"))
		require.NoError(t, err)
		text, err := withSection(string(old), l)
		require.NoError(t, err)
		require.Equal(t, text, string(old), "chapters/%s.md is stale: make book", l.Dir)
	}
}

func TestEveryListIsKnown(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(root, "0[1-7]-*/exercises/exercises.go"))
	require.NoError(t, err)
	require.Len(t, lists, len(dirs))
	for _, name := range []string{"1", "01", "chroot", "01-chroot"} {
		l, err := list(name)
		require.NoError(t, err)
		require.Equal(t, "01-chroot", l.Dir)
	}
	_, err = list("8")
	require.ErrorContains(t, err, `chapter "8" has no exercises`)
}

// learner is somebody who does the first chapter.
type learner struct {
	t    *testing.T
	list exercise.List
	dir  string
}

func newLearner(t *testing.T) learner {
	t.Helper()
	lab.NeedRoot(t) // else the grading asks sudo
	l := learner{t, lists[0], filepath.Join(t.TempDir(), "copy")}
	_, err := l.list.Copy(root, l.dir)
	require.NoError(t, err)
	return l
}

// grade returns the report, and its results by their names.
func (l learner) grade(limit time.Duration) (exercise.Report, map[string]exercise.Result) {
	l.t.Helper()
	r, err := exercise.Grading{Root: root, Copy: l.dir, List: l.list, Limit: limit}.Grade(l.t.Context())
	require.NoError(l.t, err)
	results := map[string]exercise.Result{}
	for _, e := range r.Exercises {
		results[e.Exercise] = e
	}
	return r, results
}

// solve copies a file of ours.
func (l learner) solve(name string) {
	l.t.Helper()
	text, err := os.ReadFile(filepath.Join(root, l.list.Dir, name))
	require.NoError(l.t, err)
	l.write(name, string(text))
}

func (l learner) write(name, text string) {
	l.t.Helper()
	require.NoError(l.t, os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o644))
}

// replace exchanges a piece of a file for another.
func (l learner) replace(name, old, text string) {
	l.t.Helper()
	was, err := os.ReadFile(filepath.Join(l.dir, name))
	require.NoError(l.t, err)
	require.Contains(l.t, string(was), old)
	l.write(name, strings.ReplaceAll(string(was), old, text))
}

func TestLearnerGoesToFullMarks(t *testing.T) {
	l := newLearner(t)
	l.solve("chroot.go")
	r, results := l.grade(0)
	require.Equal(t, 2, r.Points)
	require.False(t, r.Full())
	require.Equal(t, exercise.Passed, results["jail"].State)
	require.Equal(t, exercise.Unsolved, results["pivot"].State)
	require.Equal(t, exercise.Waits, results["breakout"].State)
	require.Equal(t, []string{"pivot"}, results["breakout"].WaitsFor)

	for _, name := range []string{"pivot.go", "breakout.go", "openin.go"} {
		l.solve(name)
	}
	r, _ = l.grade(0)
	require.True(t, r.Full(), "%+v", r)
	require.Equal(t, l.list.Points(), r.Points)
}

func TestLearnerSeesWhatIsWrong(t *testing.T) {
	l := newLearner(t)
	l.replace("chroot.go", `return unsolved("jail")`, "return os.Chdir(c.Root, now)")
	r, _ := l.grade(0)
	require.Contains(t, r.CompileError, l.dir+"/chroot.go:")
	require.Contains(t, r.CompileError, "undefined: now")
	require.False(t, r.Full())

	l.replace("chroot.go", "os.Chdir(c.Root, now)", "os.Chdir(c.Root)")
	l.replace("pivot.go", `return unsolved("pivot")`, "println(\"here\"); panic(1)")
	l.replace("openin.go", `return nil, unsolved("openin")`, "for {\n\t}")
	r, results := l.grade(20 * time.Second)
	require.Empty(t, r.CompileError)
	require.Equal(t, exercise.Failed, results["jail"].State)
	require.Equal(t, "root directory", results["jail"].Check)

	require.Equal(t, "end of the function", results["pivot"].Check)
	require.Contains(t, results["pivot"].Output, "here")
	require.Contains(t, results["pivot"].Output, l.dir+"/pivot.go:")
	require.NotContains(t, results["pivot"].Output, "role.go")

	require.Equal(t, exercise.Hung, results["openin"].State)
	require.Equal(t, "an end within 20s", results["openin"].Expected)
}

func TestGradingNeedsACopy(t *testing.T) {
	_, err := exercise.Grading{Root: root, Copy: t.TempDir() + "/none", List: lists[0]}.Grade(t.Context())
	require.ErrorContains(t, err, "make exercise CH=01 first")
}
