package exercise

import (
	"go/ast"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"cutaway/chapters/lab"
)

func TestMain(m *testing.M) { lab.Main(m, lab.Plain) }

// chapter is a file as a chapter might have it.
const chapter = `// Package box is a box.
package box

import (
	"errors"
	"fmt"
	"os" // for the name

	"golang.org/x/sys/unix"
)

// Lid is on top.
type Lid struct{ Name string }

// Do closes it.
func (l *Lid) Do() error {
	// the trick
	return unix.Chdir(l.Name)
}

func size(names ...string) (n int, at *os.File, err error) {
	return len(names), nil, errors.New("full")
}

func weigh(unix.Stat_t) unix.Stat_t { return unix.Stat_t{} }

func String() string { return fmt.Sprint("box") }
`

func list() List {
	return List{Dir: "01-box", Exercises: []Exercise{
		{Name: "lid", Title: "Close it", Points: 1, Empty: []string{"Lid.Do"}, Task: "The lid is on."},
		{Name: "size", Title: "Measure it", Points: 2, Empty: []string{"size"}, After: []string{"lid"}, Task: "The size is known."},
	}}
}

// repository is a root with one chapter.
func repository(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(root, "01-box"), 0o755))
	for name, text := range map[string]string{
		"go.mod": "module cutaway\n\ngo 1.26\n", "go.sum": "", "01-box/box.go": chapter, "01-box/box_test.go": "package box\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	return root
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return string(text)
}

func TestCopyHasTheTaskWhereTheBodyWas(t *testing.T) {
	root, dir := repository(t), filepath.Join(t.TempDir(), "mine", "01-box")
	changed, err := list().Copy(root, dir)
	require.NoError(t, err)
	require.Equal(t, []string{"box.go"}, changed)

	text := read(t, dir, "box.go")
	require.Contains(t, text, `import (
	"fmt"
	"os" // for the name

	"golang.org/x/sys/unix"
)`, "only errors was the bodies' alone")
	require.Contains(t, text, `func (l *Lid) Do() error {
	// Exercise lid (1 point): Close it
	//
	// The lid is on.
	//
	// Our solutions in this file also import errors.
	//
	// make grade CH=01
	return unsolved("lid")
}`)
	require.Contains(t, text, `	return 0, nil, unsolved("size")`)
	require.NotContains(t, text, "the trick")
	require.Contains(t, read(t, dir, "go.mod"), "module cutaway/01-box\n")
	require.Contains(t, read(t, dir, "README.md"), "2. **Measure it** (`size`, 2 points). The size is known. To write: `size`. After `lid`.")
	require.NoFileExists(t, filepath.Join(dir, "box_test.go"))
	require.Equal(t, chapter, read(t, root, "01-box/box.go"))
}

func TestCopyOverwritesNothing(t *testing.T) {
	root, dir := repository(t), t.TempDir()
	_, err := list().Copy(root, dir)
	require.NoError(t, err, "an empty directory may be there")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "box.go"), []byte("// my work"), 0o644))
	_, err = list().Copy(root, dir)
	require.ErrorContains(t, err, "work that may be yours")
	require.Equal(t, "// my work", read(t, dir, "box.go"))
}

func TestCopyThatFailsLeavesNothing(t *testing.T) {
	root, top := repository(t), t.TempDir()
	l := list()
	l.Exercises[1].Empty = []string{"sise"}
	_, err := l.Copy(root, filepath.Join(top, "copy"))
	require.EqualError(t, err, "exercise size: 01-box has no function sise")
	require.Empty(t, entries(t, top))
}

func entries(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	all, err := os.ReadDir(dir)
	require.NoError(t, err)
	return all
}

func TestListThatMakesNoSenseIsRefused(t *testing.T) {
	for want, spoil := range map[string]func(l *List){
		`"size", which does not stand before it`: func(l *List) { l.Exercises[0].After = []string{"size"} },
		"two exercises empty size":               func(l *List) { l.Exercises[0].Empty = []string{"size"} },
		"two exercises are called lid":           func(l *List) { l.Exercises[1].Name = "lid" },
		"are needed":                             func(l *List) { l.Exercises[1].Points = 0 },
	} {
		l := list()
		spoil(&l)
		_, err := l.Copy(repository(t), filepath.Join(t.TempDir(), "copy"))
		require.ErrorContains(t, err, want)
	}
}

func TestZeroValuesOfAnyType(t *testing.T) {
	f, err := parse("box.go", []byte(chapter))
	require.NoError(t, err)
	for name, want := range map[string]string{
		"size": `return 0, nil, unsolved("x")`, "weigh": "return *new(unix.Stat_t)", "String": `return ""`,
	} {
		require.Equal(t, want, f.unsolvedReturn(f.functions()[name], "x"))
	}
}

func TestDispatcherCallsTheVariantInForce(t *testing.T) {
	f, err := parse("box.go", []byte(chapter))
	require.NoError(t, err)
	l := list()
	text := l.dispatcher(f, f.functions()["size"], []wrong{{name: "sizeTooBig", function: "size"}, {name: "Lid.DoOpen", function: "Lid.Do"}})
	require.Equal(t, `
func size(a0 ...string) (n int, at *os.File, err error) {
	switch gradeVariant {
	case "size":
		return 0, nil, unsolved("size")
	case "sizeTooBig":
		return sizeTooBig(a0...)
	default:
		return sizeAsSolved(a0...)
	}
}
`, text)
	method := f.functions()["Lid.Do"]
	require.IsType(t, &ast.StarExpr{}, method.Recv.List[0].Type)
	require.Contains(t, l.dispatcher(f, method, nil), "func (r0 *Lid) Do() error {")
}

func TestWrongSolutionsBelongToTheLongestName(t *testing.T) {
	l := List{Exercises: []Exercise{{Name: "a", Empty: []string{"Do"}}, {Name: "b", Empty: []string{"DoAll"}}}}
	e, function := l.owner("DoAllTwice")
	require.Equal(t, "b", e.Name)
	require.Equal(t, "DoAll", function)
	_, function = l.owner("Dig")
	require.Empty(t, function)
}

func TestMessagesNameTheLearnersFile(t *testing.T) {
	g := Grading{Root: "/src", Copy: "mine/x", List: List{Dir: "01-box"}}
	for in, want := range map[string]string{
		"01-box/box.go:3:1: no":         "mine/x/box.go:3:1: no",
		"./01-box/box.go:3: no":         "mine/x/box.go:3: no",
		"\t/src/01-box/box.go:7 +0x1":   "\tmine/x/box.go:7 +0x1",
		"/elsewhere/box.go:3":           "/elsewhere/box.go:3",
		"/src/01-box/exercises/a.go:33": "/src/01-box/exercises/a.go:33",
	} {
		require.Equal(t, want, g.located(in))
	}
	g.Copy = "/src/mine/01-box"
	require.Equal(t, "/src/mine/01-box/new.go:3: no", g.located("./mine/01-box/new.go:3: no"))
}

func TestReportShowsWhatALearnerNeeds(t *testing.T) {
	var out strings.Builder
	r := Report{Points: 1, Of: 7, Exercises: []Result{
		{Exercise: "lid", Title: "Close it", State: Passed, Points: 1, Of: 1},
		{Exercise: "size", Title: "Measure it", State: Failed, Of: 2, Check: "length", Expected: "3", Found: "4", Hint: "One too many.", Output: "a\nb"},
		{Exercise: "name", Title: "Call it", State: Failed, Of: 1, Check: "label", Expected: "box", Hint: "Who writes it?"},
		{Exercise: "move", Title: "Carry it", State: Waits, Of: 3, WaitsFor: []string{"size"}},
	}}
	require.NoError(t, r.Text(&out))
	require.Equal(t, `✓ lid          1 of 1   Close it
✗ size         0 of 2   Measure it
    looked at  length
    expected   3
    found      4
    hint       One too many.
    printed    a
               b
✗ name         0 of 1   Call it
    looked at  label
    expected   box
    found      nothing
    hint       Who writes it?
… move         0 of 3   Carry it
    waits for  size

1 of 7 points
`, out.String())
}

func TestLeftoversAreASentence(t *testing.T) {
	require.Equal(t, "mount /a; process 3", leftovers("ok\n--- FAIL: this left behind:\n    mount /a\n    process 3\nFAIL\n"))
}
