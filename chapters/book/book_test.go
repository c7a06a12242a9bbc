package book

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cutaway/chapters/lab"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { lab.Main(m, lab.Sandbox) }

// repository makes a small repository out of an archive and returns its only page.
func repository(t *testing.T, archive string) Page {
	t.Helper()
	root := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		path := filepath.Join(root, f.Name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, f.Data, 0o644))
	}
	pages, err := Pages(root)
	require.NoError(t, err)
	require.Len(t, pages, 1)
	return pages[0]
}

const shapes = `
-- shapes/shapes.go --
// Package shapes is an example.
package shapes

// Circle is round.
type Circle struct {
	R int // metres
}

// Area is how much paint it takes.
func (c *Circle) Area() int { return 3 * c.R * c.R } // about

// Kinds of corners.
const (
	Sharp = iota
	Blunt
)

var hidden int
`

func TestListingsComeFromTheCode(t *testing.T) {
	for name, row := range map[string]struct{ names, want string }{
		"a type with its comment":        {"Circle", "// Circle is round.\ntype Circle struct {\n\tR int // metres\n}"},
		"a method, and what follows it":  {"Circle.Area", "// Area is how much paint it takes.\nfunc (c *Circle) Area() int { return 3 * c.R * c.R } // about"},
		"a constant with all its group":  {"Blunt", "// Kinds of corners.\nconst (\n\tSharp = iota\n\tBlunt\n)"},
		"several in the order asked for": {"hidden Circle", "var hidden int\n\n// Circle is round.\ntype Circle struct {\n\tR int // metres\n}"},
	} {
		t.Run(name, func(t *testing.T) {
			fence := "<!-- code: shapes/shapes.go " + row.names + " -->\n```go\n"
			page := repository(t, shapes+"-- README.md --\nBefore.\n"+fence+"stale\n```\nAfter.\n")
			filled, problems := page.Listings()
			require.Empty(t, problems)
			require.Equal(t, "Before.\n"+fence+row.want+"\n```\nAfter.\n", filled.Text)
			again, _ := filled.Listings()
			require.Equal(t, filled, again, "filling twice changes nothing")
		})
	}
}

func TestMarkersThatNameNothingAreProblems(t *testing.T) {
	page := repository(t, shapes+"-- README.md --\n"+
		"<!-- code: shapes/shapes.go Square -->\n```go\n```\n"+
		"<!-- code: shapes/lost.go Circle -->\n```go\n```\n"+
		"<!-- code: shapes/shapes.go Circle -->\nno fence\n"+
		"```\n<!-- code: an/example.go Only -->\n```\n")
	_, problems := page.Listings()
	require.Len(t, problems, 3)
	require.Contains(t, problems[0], "README.md:1: ")
	require.Contains(t, problems[0], "declares no Square")
	require.Contains(t, problems[1], "lost.go")
	require.Contains(t, problems[2], "no fence")
}

func TestBrokenLinksAreFound(t *testing.T) {
	page := repository(t, shapes+"-- chapters/a.md --\n# One Heading, or `two`?\n"+
		"[good](../shapes/shapes.go) ![bad](gone.svg) [far](https://example.org/x) [here](#one-heading-or-two)\n"+
		"[bad](#elsewhere) <img src=\"lost.svg\"> `[not](a link)` [good](a.md#one-heading-or-two)\n"+
		"```\n[not](checked)\n```\n")
	require.Equal(t, []string{
		"chapters/a.md:2: broken link gone.svg",
		"chapters/a.md:3: broken link #elsewhere",
		"chapters/a.md:3: broken link lost.svg",
	}, page.BrokenLinks())
}

func TestUnmentionedNamesAreFound(t *testing.T) {
	page := repository(t, shapes+"-- chapters/a.md --\nA `Circle` has an Area. Sharpness is not a name.\n\nNot covered here: Blunt.\n")
	missing, err := page.Unmentioned("shapes")
	require.NoError(t, err)
	require.Equal(t, []string{"Sharp"}, missing)
}

func TestTranscriptsChangeOnlyWhenTheyDiffer(t *testing.T) {
	const script = "-- run.sh --\n# varies: weather\necho '$ id'\necho pid 17, weather, uid=0\n-- README.md --\n"
	const fence = "<!-- transcript: run.sh -->\n```console\n"
	page := repository(t, script+fence+"$ id\npid 4, weather, uid=0\n```\n")
	same, problems := page.Transcripts()
	require.Empty(t, problems)
	require.Equal(t, page, same)
	page = repository(t, script+fence+"$ id\npid 4, weather, uid=1000\n```\n")
	fresh, problems := page.Transcripts()
	require.Empty(t, problems)
	require.Equal(t, fence+"$ id\npid 17, weather, uid=0\n```\n", fresh.Text)
}

func TestAFailingScriptIsAProblem(t *testing.T) {
	page := repository(t, "-- run.sh --\necho oh; exit 3\n-- README.md --\n<!-- transcript: run.sh -->\n```console\n```\n")
	_, problems := page.Transcripts()
	require.Len(t, problems, 1)
	require.True(t, strings.Contains(problems[0], "exit status 3") && strings.Contains(problems[0], "oh"), problems[0])
}

func TestNormalizeLeavesWhatMatters(t *testing.T) {
	for text, want := range map[string]string{
		"mnt:[4026532441] 12.5 ms":        "mnt:~ ~",
		"memory.max    67108864":          "memory.max 67108864",
		"f3b1c09a77de Up 3 seconds":       "~ Up ~",
		"/tmp/lab.x1/web exit status 137": "~ exit status 137",
		"02:42:ac:1d:00:02 172.29.0.2":    "~ 172.29.0.2",
	} {
		require.Equal(t, want, Normalize(text))
	}
}
