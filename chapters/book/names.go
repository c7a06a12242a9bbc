package book

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// obvious are the methods that every step, error or reader has; a note need not mention them one by one.
var obvious = []string{
	"Do", "Undo", "String", "Error", "Unwrap", "Is", "MarshalJSON", "UnmarshalJSON", "Read", "Write", "Close", "ServeHTTP",
}

// Unmentioned returns the exported names of the package in dir (from the repository's root) that the page does not
// mention: neither in a sentence or listing, nor in a closing line that begins with "Not covered here".
func (p Page) Unmentioned(dir string) ([]string, error) {
	names, err := exported(filepath.Join(p.Root, dir))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return regexp.MustCompile(`\b` + name + `\b`).MatchString(p.Text)
	}), nil
}

// exported lists the exported top-level names and methods of the package in dir, sorted.
func exported(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".go" || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, e.Name()), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Decls {
			names = append(names, declared(d)...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// declared lists the exported names that one declaration declares.
func declared(d ast.Decl) []string {
	var ids []*ast.Ident
	switch d := d.(type) {
	case *ast.FuncDecl:
		of, _, isMethod := strings.Cut(funcName(d), ".")
		if !isMethod || ast.IsExported(of) && !slices.Contains(obvious, d.Name.Name) {
			ids = append(ids, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				ids = append(ids, s.Name)
			case *ast.ValueSpec:
				ids = append(ids, s.Names...)
			}
		}
	}
	var names []string
	for _, id := range ids {
		if id.IsExported() {
			names = append(names, id.Name)
		}
	}
	return names
}
