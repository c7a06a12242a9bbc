package chapters_test

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestEveryPackageIsDocumented(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		documented[s.dir()] = documented[s.dir()] || s.file.Doc != nil
		if s.file.Doc != nil && !startsRight(s.file) {
			t.Errorf("%s: the package comment does not start with its name", s.path)
		}
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s: no package comment", dir)
		}
	}
}

// startsRight reports whether a package comment starts as godoc wants it.
func startsRight(f *ast.File) bool {
	doc := f.Doc.Text()
	if f.Name.Name == "main" {
		return strings.HasPrefix(doc, "Command ") || regexp.MustCompile(`^[A-Z][a-z-]+ `).MatchString(doc)
	}
	return strings.HasPrefix(doc, "Package "+f.Name.Name+" ")
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || s.file.Name.Name == "main" {
			continue
		}
		for _, d := range declarations(s.file) {
			if text := strings.TrimSpace(d.doc.Text()); text == "" {
				t.Errorf("%s: %s has no comment", s.at(d.node), d.name)
			} else if !endsASentence(text) {
				t.Errorf("%s: the comment of %s does not end in a full stop", s.at(d.node), d.name)
			}
		}
	}
}

// endsASentence reports whether a comment ends as prose does, or in a block or list that needs no full stop.
func endsASentence(text string) bool {
	last := text[strings.LastIndexByte(text, '\n')+1:]
	return strings.HasSuffix(last, ".") || strings.HasSuffix(last, ".)") || strings.HasSuffix(last, ":") ||
		strings.HasPrefix(last, "\t") || strings.HasPrefix(last, "  ") || manPage.MatchString(last)
}

// declaration is an exported top-level name with its comment.
type declaration struct {
	name string
	node ast.Node
	doc  *ast.CommentGroup
}

// declarations lists a file's exported top-level names. A name in a group may be documented by the group's comment or
// by the one behind it.
func declarations(f *ast.File) []declaration {
	var all []declaration
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d))) && !selfExplaining(d) {
				all = append(all, declaration{d.Name.Name, d, d.Doc})
			}
		case *ast.GenDecl:
			all = append(all, grouped(d)...)
		}
	}
	return all
}

func grouped(d *ast.GenDecl) []declaration {
	var all []declaration
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() {
				all = append(all, declaration{s.Name.Name, s, first(s.Doc, d.Doc)})
			}
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if name.IsExported() {
					all = append(all, declaration{name.Name, s, first(s.Doc, d.Doc, s.Comment)})
				}
			}
		}
	}
	return all
}

func first(groups ...*ast.CommentGroup) *ast.CommentGroup {
	for _, g := range groups {
		if g != nil {
			return g
		}
	}
	return nil
}

// receiver is the name of the type that a method belongs to.
func receiver(d *ast.FuncDecl) string {
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if index, ok := t.(*ast.IndexExpr); ok {
		t = index.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// selfExplaining reports whether a method has the meaning that its interface gives it: a step's Do, Undo and
// String are explained by the type, and everybody knows Error, Read and Close.
func selfExplaining(d *ast.FuncDecl) bool {
	known := []string{
		"Do", "Undo", "String", "Error", "Unwrap", "Is", "MarshalJSON", "UnmarshalJSON",
		"Read", "Write", "Close", "Len", "Less", "Swap", "ServeHTTP", "Set", "Type",
	}
	return d.Recv != nil && slices.Contains(known, d.Name.Name)
}

// manPage is the line by which a step names its system call: Man page: mount(2), mount_namespaces(7).
var manPage = regexp.MustCompile(`(?m)^Man page: [\w.:-]+\(\d[a-z]*\)(, [\w.:-]+\(\d[a-z]*\))*$`)

func TestEveryStepNamesItsManPage(t *testing.T) {
	steps := map[string]int{} // directory and type → which of Do and String it has, as bits
	all := sources(t)
	for _, s := range all {
		for _, d := range s.file.Decls {
			if m, ok := d.(*ast.FuncDecl); ok && !s.test && m.Recv != nil && m.Type.Params.NumFields() == 0 {
				switch m.Name.Name {
				case "Do":
					steps[s.dir()+" "+receiver(m)] |= 1
				case "String":
					steps[s.dir()+" "+receiver(m)] |= 2
				}
			}
		}
	}
	for _, s := range all {
		for _, d := range declarations(s.file) {
			if _, ok := d.node.(*ast.TypeSpec); ok && steps[s.dir()+" "+d.name] == 3 && !manPage.MatchString(d.doc.Text()) {
				t.Errorf("%s: the comment of step %s has no line like \"Man page: mount(2)\"", s.at(d.node), d.name)
			}
		}
	}
}
