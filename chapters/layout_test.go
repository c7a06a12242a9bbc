// Package chapters_test holds the book to the code and the code to the house style: what points where, how
// long things are, and that everything is documented.
package chapters_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"cutaway/chapters/lab"

	"github.com/stretchr/testify/require"
)

const root = ".." // the repository, seen from here

func TestMain(m *testing.M) { lab.Main(m, lab.RootOrSandbox) }

// source is one parsed Go file of the repository.
type source struct {
	path string // from the repository's root: 02-namespaces/cmd/ns/main.go
	room string // the first part of the path: 02-namespaces, chapters, final
	file *ast.File
	fset *token.FileSet
	test bool
}

// sources parses every Go file of the repository except for test data.
func sources(t *testing.T) []source {
	t.Helper()
	fset := token.NewFileSet()
	var all []source
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && path != root && (name == "testdata" || name == "bin" || name == "mine" || strings.HasPrefix(name, ".")):
			return fs.SkipDir // "mine": what learners write
		case filepath.Ext(path) != ".go":
			return nil
		}
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		short, err := filepath.Rel(root, path)
		room, _, _ := strings.Cut(short, "/")
		all = append(all, source{short, room, file, fset, strings.HasSuffix(path, "_test.go")})
		return err
	})
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

// dir is the directory of the source's package.
func (s source) dir() string { return filepath.Dir(s.path) }

// at says where a node is, for a message.
func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(n.Pos()).Line)
}

// lines counts the lines from the first to the last of a node.
func (s source) lines(n ast.Node) int {
	return s.fset.Position(n.End()).Line - s.fset.Position(n.Pos()).Line + 1
}

var (
	chapter   = regexp.MustCompile(`^0[1-7]-[a-z]+$`)
	exercises = regexp.MustCompile(`^0[1-7]-[a-z]+/exercises$`)
)

// mayImport says which of this repository's packages a file may import:
//
//	01 … 07 ──► nothing but themselves      final ──► 01 … 07, final, chapters      tests ──► also chapters/lab
//	01-chroot/exercises ──► also chapters/exercise, which hands them out: chapters/cmd/exercise ──► all of them
func (s source) mayImport(path string) bool {
	path = strings.TrimPrefix(path, "cutaway/")
	room, _, _ := strings.Cut(path, "/")
	switch {
	case s.test && path == "chapters/lab":
		return true
	case exercises.MatchString(s.dir()) && path == "chapters/exercise":
		return true
	case s.dir() == "chapters/cmd/exercise" && exercises.MatchString(path):
		return true
	case s.room == "final" && path == "chapters": // the page of errors, for explain
		return true
	case s.room == "final":
		return room == "final" || path == "chapters" || chapter.MatchString(room)
	default:
		return room == s.room
	}
}

func TestImportsPointOneWay(t *testing.T) {
	for _, s := range sources(t) {
		for _, i := range s.file.Imports {
			path := strings.Trim(i.Path.Value, `"`)
			if strings.HasPrefix(path, "cutaway/") && !s.mayImport(path) {
				t.Errorf("%s imports %s", s.at(i), path)
			}
		}
	}
}

func TestOnlyTheKnownRoomsExist(t *testing.T) {
	for _, s := range sources(t) {
		if s.room != "chapters" && s.room != "final" && !chapter.MatchString(s.room) {
			t.Errorf("%s: no Go code belongs there", s.path)
		}
	}
}

func TestPackageNamesSayWhatIsInside(t *testing.T) {
	vague := regexp.MustCompile(`(?i)(^|_)(util|utils|common|helper|helpers|types|manager|misc|base|shared)$`)
	for _, s := range sources(t) {
		if vague.MatchString(s.file.Name.Name) {
			t.Errorf("%s: package %s could hold anything", s.path, s.file.Name.Name)
		}
		if strings.HasSuffix(s.path, "_linux.go") {
			t.Errorf("%s: everything here is for Linux; the name need not say so", s.path)
		}
	}
}

func TestSkipsGoThroughTheLab(t *testing.T) {
	for _, s := range sources(t) {
		if s.dir() == "chapters/lab" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && strings.HasPrefix(sel.Sel.Name, "Skip") {
				if x, ok := sel.X.(*ast.Ident); ok && (x.Name == "t" || x.Name == "tb" || x.Name == "b") {
					t.Errorf("%s: %s.%s: use lab.NeedKernel, NeedRoot, NeedProgram or NeedSupport", s.at(n), x.Name, sel.Sel.Name)
				}
			}
			return true
		})
	}
}
