package chapters_test

import (
	"fmt"
	"go/ast"
	"go/scanner"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	maxFile      = 400 // lines
	maxFunction  = 70  // lines
	maxParams    = 3
	maxInterface = 5 // methods
)

// librarySize caps the size of each library: lines of code without tests, exercises, comments, blank lines and cmd. A directory counts
// for the longest row that it is below. Minimal is a feature: before raising a number, look for the type, layer or
// option that can go.
var librarySize = map[string]int{
	"01-chroot":        300,
	"02-namespaces":    950,
	"03-cgroups":       1168, // every limit, counter and event in two languages, and read back; a quarter is the program for devices and the events
	"04-unionfs":       2098, // 1100 were the aim: unpacking 494, diff, changes and export 439, a store that may be killed at any moment 406, mounts in both ways 314, vfs and btrfs 73, devicemapper 369
	"05-images":        2178, // names and platforms 155, documents 172, a store that may be killed at any moment 412, what arrives (resumed, verified, unpacked meanwhile, packed in four ways) 480, registries 251, push 158, archives 253, making 123, rmi and sweep 174
	"06-network":       1500,
	"07-daemon":        2350,
	"07-daemon/memory": 1200,  // an engine without a kernel, for the demonstration and the tests
	"final":            10200, // the engine without the rows below
	"final/build":      2241,  // Dockerfiles: fifteen instructions, a context at both ends, a cache
	"final/cli":        4105,
	"final/toolbox":    2310, // a shell and its commands: not the engine, but what runs in it
}

// library is the row of librarySize that a directory counts for.
func library(dir string) string {
	for ; dir != "."; dir = filepath.Dir(dir) {
		if librarySize[dir] > 0 {
			return dir
		}
	}
	return ""
}

// wide lists the functions that take more than three parameters, each with its reason. A context, a testing.TB and a grader's G
// are not counted.
var wide = map[string]string{
	"01-chroot OpenIn": "the parameters of os.OpenFile, and the root",
}

func TestFilesFitOnFivePages(t *testing.T) {
	for _, s := range sources(t) {
		if n := s.fset.File(s.file.FileStart).LineCount(); n > maxFile {
			t.Errorf("%s: %d lines, more than %d", s.path, n, maxFile)
		}
	}
}

// functions calls visit with every function of the repository that has a body.
func functions(t *testing.T, visit func(source, *ast.FuncDecl)) {
	t.Helper()
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
				visit(s, f)
			}
		}
	}
}

func TestFunctionsFitOnOnePage(t *testing.T) {
	var lengths []int
	functions(t, func(s source, f *ast.FuncDecl) {
		n := s.lines(f)
		if n > maxFunction {
			t.Errorf("%s: %s has %d lines, more than %d", s.at(f), f.Name.Name, n, maxFunction)
		}
		if !s.test {
			lengths = append(lengths, n)
		}
	})
	slices.Sort(lengths)
	median, most := lengths[len(lengths)/2], lengths[len(lengths)*95/100]
	t.Logf("%d functions: median %d lines, 95%% at most %d, longest %d", len(lengths), median, most, lengths[len(lengths)-1])
	require.LessOrEqual(t, median, 12)
	require.LessOrEqual(t, most, 45)
}

func TestFunctionsTakeFewParametersAndNoBool(t *testing.T) {
	functions(t, func(s source, f *ast.FuncDecl) {
		name := s.dir() + " " + f.Name.Name
		if n := countParams(f.Type.Params); n > maxParams && wide[name] == "" {
			t.Errorf("%s: %s takes %d parameters; more than %d belong in a struct", s.at(f), f.Name.Name, n, maxParams)
		}
		for _, p := range f.Type.Params.List {
			if id, ok := p.Type.(*ast.Ident); ok && id.Name == "bool" && !callback(f) && !setter(f) {
				t.Errorf("%s: %s takes a bool: what does true mean where it is called?", s.at(f), f.Name.Name)
			}
		}
	})
}

// callback reports whether somebody else's interface dictates a function's parameters: a command of testscript takes
// "neg bool".
func callback(f *ast.FuncDecl) bool {
	return named(f.Type.Params.List[0].Type, "TestScript")
}

// setter reports whether a bool is the only thing that an unexported function takes: freeze(true) says what it does.
func setter(f *ast.FuncDecl) bool {
	return !f.Name.IsExported() && f.Type.Params.NumFields() == 1
}

// named reports whether a type is pkg.Name or *pkg.Name for one of the names.
func named(t ast.Expr, names ...string) bool {
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	sel, ok := t.(*ast.SelectorExpr)
	return ok && slices.Contains(names, sel.Sel.Name)
}

func countParams(list *ast.FieldList) int {
	n := 0
	for _, p := range list.List {
		if !named(p.Type, "Context", "TB", "T", "B", "G") {
			n += max(1, len(p.Names))
		}
	}
	return n
}

func TestNothingRunsBeforeMain(t *testing.T) {
	functions(t, func(s source, f *ast.FuncDecl) {
		if f.Name.Name == "init" && f.Recv == nil {
			t.Errorf("%s: func init", s.at(f))
		}
	})
}

func TestInterfacesAreSmall(t *testing.T) {
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if i, ok := n.(*ast.InterfaceType); ok && i.Methods.NumFields() > maxInterface {
				t.Errorf("%s: an interface of %d methods, more than %d", s.at(n), i.Methods.NumFields(), maxInterface)
			}
			return true
		})
	}
}

func TestLibrariesStaySmall(t *testing.T) {
	sizes := map[string]int{}
	for _, s := range sources(t) {
		if s.test || strings.Contains(s.path, "/cmd/") || exercises.MatchString(s.dir()) {
			continue
		}
		sizes[library(s.dir())] += codeLines(t, s.path)
	}
	var table strings.Builder
	for _, room := range slices.Sorted(maps.Keys(librarySize)) {
		fmt.Fprintf(&table, "\n%-18s %5d of %5d", room, sizes[room], librarySize[room])
		if sizes[room] > librarySize[room] {
			t.Errorf("%s has %d lines of code, more than %d", room, sizes[room], librarySize[room])
		}
	}
	t.Log("lines of code:", table.String())
}

// codeLines counts the lines of a file on which at least one token stands.
func codeLines(t *testing.T, path string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	var s scanner.Scanner
	file := token.NewFileSet().AddFile(path, -1, len(text))
	s.Init(file, text, nil, 0)
	lines := map[int]bool{}
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return len(lines)
		}
		if tok == token.SEMICOLON && lit == "\n" {
			continue
		}
		for n := range 1 + strings.Count(lit, "\n") {
			lines[file.Line(pos)+n] = true
		}
	}
}
