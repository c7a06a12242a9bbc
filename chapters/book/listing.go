package book

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
)

// listing returns the source of the named declarations of a Go file, comments included, as it stands in the
// file. A name is that of a function, type, constant or variable, or Type.Method. Without names, and for
// files that are not Go, it is the whole file.
func listing(path string, names []string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if len(names) == 0 {
		return strings.TrimRight(string(text), "\n"), nil
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, text, parser.ParseComments)
	if err != nil {
		return "", err
	}
	var parts []string
	for _, name := range names {
		from, to := find(file, name)
		if !from.IsValid() {
			return "", fmt.Errorf("%s declares no %s", path, name)
		}
		parts = append(parts, string(wholeLines(text, fset.Position(from).Offset, fset.Position(to).Offset)))
	}
	return strings.Join(parts, "\n\n"), nil
}

// wholeLines returns the lines from the one that holds offset from to the one that holds offset to, so that a comment
// behind the last token is part of the listing.
func wholeLines(text []byte, from, to int) []byte {
	from = bytes.LastIndexByte(text[:from], '\n') + 1
	if n := bytes.IndexByte(text[to:], '\n'); n >= 0 {
		to += n
	}
	return text[from:to]
}

// find returns where the declaration of name begins, with its comment, and ends.
func find(file *ast.File, name string) (from, to token.Pos) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if funcName(d) == name {
				return start(d.Doc, d), d.End()
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch {
				case !declares(spec, name):
				case d.Lparen.IsValid() && d.Tok == token.TYPE:
					return start(spec.(*ast.TypeSpec).Doc, spec), spec.End()
				default: // constants and variables come with their group: iota would mean nothing without it
					return start(d.Doc, d), d.End()
				}
			}
		}
	}
	return token.NoPos, token.NoPos
}

// start is where a node begins, its comment included.
func start(doc *ast.CommentGroup, n ast.Node) token.Pos {
	if doc != nil {
		return doc.Pos()
	}
	return n.Pos()
}

// declares reports whether a spec of a declaration declares name.
func declares(spec ast.Spec, name string) bool {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		return s.Name.Name == name
	case *ast.ValueSpec:
		for _, id := range s.Names {
			if id.Name == name {
				return true
			}
		}
	}
	return false
}

// funcName is Name for a function and Type.Name for a method.
func funcName(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return d.Name.Name
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if index, ok := t.(*ast.IndexExpr); ok {
		t = index.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name + "." + d.Name.Name
	}
	return d.Name.Name
}
