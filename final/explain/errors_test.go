package explain_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"cutaway/chapters"
	"cutaway/chapters/lab"
	"cutaway/final/explain"
	"cutaway/final/plan"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { lab.Main(m, lab.Plain) }

// topics finds the IDs in the source of the engine, the client and the API, each with its chapter.
func topics(t *testing.T) map[string]string {
	t.Helper()
	literal := regexp.MustCompile(`\{(?:ID: )?"([a-z]+\.[A-Z]\w+)", (?:Chapter: )?"(chapters/[^"]+)"\}`)
	found := map[string]string{}
	for _, dir := range []string{"../../07-daemon", "../engine", "../cli", "../spec", "../build"} {
		files, err := filepath.Glob(dir + "/*.go")
		require.NoError(t, err)
		for _, f := range files {
			text, err := os.ReadFile(f)
			require.NoError(t, err)
			for _, m := range literal.FindAllSubmatch(text, -1) {
				found[string(m[1])] = string(m[2])
			}
		}
	}
	require.Greater(t, len(found), 20)
	return found
}

func TestThePageOfErrorsHasEveryErrorAndNoOther(t *testing.T) {
	known := map[string]bool{}
	for id := range topics(t) {
		known[id] = true
	}
	for _, s := range plan.Steps {
		known[reflect.TypeOf(s).String()] = true
	}
	sections := map[string]bool{}
	for _, s := range chapters.Errors() {
		require.False(t, sections[s.ID], "%s is explained twice", s.ID)
		sections[s.ID] = true
		require.NotEmpty(t, s.Cause(), "%s has no paragraph that begins with \"Usually because\"", s.ID)
		id, errno, has := strings.Cut(s.ID, "/")
		require.True(t, known[id], "%s is no step of a plan and no topic of the engine", s.ID)
		require.True(t, !has || unix.ErrnoName(0) == "" && errnoByName(errno), "%s names no errno", s.ID)
	}
	for id := range known {
		require.True(t, sections[id], "chapters/errors.md has no section %s", id)
	}
}

func errnoByName(name string) bool {
	for n := range unix.Errno(200) {
		if unix.ErrnoName(n) == name {
			return true
		}
	}
	return false
}

func TestAnErrorIsExplainedByItsOwnSectionElseByItsStep(t *testing.T) {
	for _, row := range []struct{ id, title string }{
		{"chroot.Pivot/EINVAL", "chroot.Pivot/EINVAL"},
		{"chroot.pivot/einval", "chroot.Pivot/EINVAL"},
		{"chroot.Pivot/EXDEV", "chroot.Pivot"},
		{"image.NotFound", "image.NotFound"},
	} {
		var out bytes.Buffer
		require.NoError(t, explain.Error(&out, row.id, explain.Options{Width: 80}))
		title, rest, _ := strings.Cut(out.String(), "\n")
		require.Equal(t, row.title, title)
		require.Contains(t, rest, "Usually because")
		for line := range strings.Lines(rest) {
			require.True(t, len([]rune(line)) <= 81 || strings.HasPrefix(line, "    "), line)
		}
	}
	require.ErrorContains(t, explain.Error(&bytes.Buffer{}, "pivot", explain.Options{}), "near it: chroot.Pivot, chroot.Pivot/EINVAL")
	require.ErrorContains(t, explain.Error(&bytes.Buffer{}, "xyzzy", explain.Options{}), "lists all")
}
