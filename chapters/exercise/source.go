package exercise

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
)

// file is one parsed Go file.
type file struct {
	fset *token.FileSet
	tree *ast.File
	text []byte
}

func parse(name string, text []byte) (file, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	return file{fset, tree, text}, err
}

func (f file) offset(p token.Pos) int { return f.fset.Position(p).Offset }

// source is the text between two positions.
func (f file) source(from, to token.Pos) string { return string(f.text[f.offset(from):f.offset(to)]) }

// functions are the file's functions with a body, by the names that lists use: "quote", "Pivot.Do".
func (f file) functions() map[string]*ast.FuncDecl {
	all := map[string]*ast.FuncDecl{}
	for _, d := range f.tree.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
			all[functionName(fn)] = fn
		}
	}
	return all
}

func functionName(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	t := fn.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name + "." + fn.Name.Name
	}
	return fn.Name.Name
}

// edit is a replacement of some bytes of a file.
type edit struct {
	from, to int
	text     string
}

// apply makes all edits; they must not overlap.
func apply(text []byte, edits []edit) []byte {
	slices.SortFunc(edits, func(a, b edit) int { return a.from - b.from })
	var out bytes.Buffer
	at := 0
	for _, e := range edits {
		out.Write(text[at:e.from])
		out.WriteString(e.text)
		at = e.to
	}
	out.Write(text[at:])
	return out.Bytes()
}

// empty returns the file without the bodies of some functions. body says what stands in their place, from the
// function and the packages that the file needs no more.
func (f file) empty(names []string, body func(fn *ast.FuncDecl, packages []string) string) ([]byte, error) {
	packages := f.dropped(names)
	var edits []edit
	for _, name := range names {
		fn := f.functions()[name]
		edits = append(edits, edit{f.offset(fn.Body.Lbrace) + 1, f.offset(fn.Body.Rbrace), "\n" + body(fn, packages)})
	}
	for _, d := range f.tree.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
			edits = append(edits, f.withoutImports(g, packages)...)
		}
	}
	return format.Source(apply(f.text, edits))
}

// dropped lists the imports that only the named functions use.
func (f file) dropped(names []string) []string {
	inside, outside := map[string]bool{}, map[string]bool{}
	fns := f.functions()
	for _, d := range f.tree.Decls {
		ast.Inspect(d, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			id, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			within := slices.ContainsFunc(names, func(name string) bool {
				b := fns[name].Body
				return b.Pos() <= n.Pos() && n.Pos() < b.End()
			})
			if within {
				inside[id.Name] = true
			} else {
				outside[id.Name] = true
			}
			return true
		})
	}
	var all []string
	for _, i := range f.tree.Imports {
		if name := importName(i); inside[name] && !outside[name] {
			all = append(all, strings.Trim(i.Path.Value, `"`))
		}
	}
	return all
}

var version = regexp.MustCompile(`^v[0-9]+$`)

// importName is the name by which a file calls an import: its own, or the last part of the path that is no version.
func importName(i *ast.ImportSpec) string {
	if i.Name != nil {
		return i.Name.Name
	}
	p := strings.Trim(i.Path.Value, `"`)
	if version.MatchString(path.Base(p)) {
		p = path.Dir(p)
	}
	return path.Base(p)
}

// withoutImports takes imports out of a declaration, and the whole declaration if nothing remains.
func (f file) withoutImports(g *ast.GenDecl, packages []string) []edit {
	var edits []edit
	for _, s := range g.Specs {
		i := s.(*ast.ImportSpec)
		if slices.Contains(packages, strings.Trim(i.Path.Value, `"`)) {
			edits = append(edits, edit{f.offset(i.Pos()), f.offset(i.End()), ""})
		}
	}
	if len(edits) == len(g.Specs) {
		return []edit{{f.offset(g.Pos()), f.offset(g.End()), ""}}
	}
	return edits
}

// placeholder is the type of the error that an unsolved function returns. It is added to the package.
const placeholder = `package %s

// unsolved is the error of an exercise that nobody has solved yet: its name.
type unsolved string

func (u unsolved) Error() string { return "exercise " + string(u) + " is not solved yet" }
`

// unsolvedError recognizes that error's text.
var unsolvedError = regexp.MustCompile(`exercise \S+ is not solved yet`)

// unsolvedReturn is a statement that returns from fn: zero values, and the placeholder as the error.
func (f file) unsolvedReturn(fn *ast.FuncDecl, exercise string) string {
	if fn.Type.Results == nil {
		return ""
	}
	var values []string
	for _, field := range fn.Type.Results.List {
		for range max(1, len(field.Names)) {
			values = append(values, f.zero(field.Type, exercise))
		}
	}
	return "return " + strings.Join(values, ", ")
}

// zero is an expression for a type's zero value, and the placeholder for an error.
func (f file) zero(t ast.Expr, exercise string) string {
	switch t := t.(type) {
	case *ast.StarExpr, *ast.MapType, *ast.FuncType, *ast.InterfaceType, *ast.ChanType:
		return "nil"
	case *ast.ArrayType:
		if t.Len == nil {
			return "nil"
		}
	case *ast.Ident:
		switch t.Name {
		case "error":
			return fmt.Sprintf("unsolved(%q)", exercise)
		case "string":
			return `""`
		case "bool":
			return "false"
		case "int", "int64", "uint32", "uint64", "uintptr":
			return "0"
		}
	}
	return "*new(" + f.source(t.Pos(), t.End()) + ")"
}
