package explain

import (
	"embed"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path"
	"strings"
	"sync"

	chroot "cutaway/01-chroot"
	namespaces "cutaway/02-namespaces"
	cgroups "cutaway/03-cgroups"
	unionfs "cutaway/04-unionfs"
	network "cutaway/06-network"
	"cutaway/final/plan"
	"cutaway/final/rootfs"
	"cutaway/final/security"
	"cutaway/final/shim"
	"cutaway/final/volume"
)

// source is a package that has steps: where it is in the tree, and the page of
// the book that is about it.
type source struct {
	dir, chapter string
	files        embed.FS
}

// sourceOf finds a package.
func sourceOf(pkg string) (s source, ok bool) {
	s, ok = map[string]source{
		"chroot":     {"01-chroot", "chapters/01-chroot.md", chroot.Source},
		"namespaces": {"02-namespaces", "chapters/02-namespaces.md", namespaces.Source},
		"cgroups":    {"03-cgroups", "chapters/03-cgroups.md", cgroups.Source},
		"unionfs":    {"04-unionfs", "chapters/04-unionfs.md", unionfs.Source},
		"network":    {"06-network", "chapters/06-network.md", network.Source},
		"rootfs":     {"final/rootfs", "chapters/02-namespaces.md", rootfs.Source},
		"security":   {"final/security", "chapters/09-hardening.md", security.Source},
		"plan":       {"final/plan", "chapters/08-final.md", plan.Source},
		"shim":       {"final/shim", "chapters/08-final.md", shim.Source},
		"volume":     {"final/volume", "chapters/08-final.md", volume.Source},
	}[pkg]
	return s, ok
}

// Reason is what the source says about a kind of step.
type Reason struct {
	Why     string   `json:"why"`     // the first paragraph of the doc comment
	Pages   []string `json:"man"`     // "pivot_root(2)"
	File    string   `json:"file"`    // in the tree
	Line    int      `json:"line"`    // of the type's declaration
	Chapter string   `json:"chapter"` // of the book
}

// ReasonFor finds what the source says about the kind of step with this name,
// such as "chroot.Pivot".
func ReasonFor(name string) Reason {
	pkg, typ, _ := strings.Cut(name, ".")
	return reasons(pkg)[typ]
}

var (
	readMu sync.Mutex
	read   = map[string]map[string]Reason{}
)

// reasons reads a package's source, once.
func reasons(pkg string) map[string]Reason {
	readMu.Lock()
	defer readMu.Unlock()
	if known, ok := read[pkg]; ok {
		return known
	}
	found := map[string]Reason{}
	read[pkg] = found
	source, ok := sourceOf(pkg)
	if !ok {
		return found
	}
	c := collector{found: found, chapter: source.chapter, fset: token.NewFileSet()}
	entries, _ := source.files.ReadDir(".") // an embedded directory can be read
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		text, _ := source.files.ReadFile(e.Name())
		file, err := parser.ParseFile(c.fset, e.Name(), text, parser.ParseComments)
		if err != nil {
			continue // it was compiled: this does not happen
		}
		for _, decl := range file.Decls {
			if gen, ok := decl.(*ast.GenDecl); ok && gen.Tok == token.TYPE {
				c.collect(gen, path.Join(source.dir, e.Name()))
			}
		}
	}
	return found
}

// collector gathers the reasons of one package.
type collector struct {
	found   map[string]Reason // by the name of the type
	chapter string
	fset    *token.FileSet
}

// collect adds the types of one declaration.
func (c collector) collect(gen *ast.GenDecl, file string) {
	for _, spec := range gen.Specs {
		typ := spec.(*ast.TypeSpec)
		comment := typ.Doc
		if comment == nil {
			comment = gen.Doc
		}
		r := Reason{File: file, Line: c.fset.Position(typ.Pos()).Line, Chapter: c.chapter}
		r.Why, r.Pages = split(comment.Text(), typ.Name.Name)
		c.found[typ.Name.Name] = r
	}
}

// split divides a doc comment into the reason and the man pages.
func split(comment, name string) (why string, pages []string) {
	first, _, _ := strings.Cut(comment, "\n\n")
	for line := range strings.Lines(comment) {
		if list, ok := strings.CutPrefix(strings.TrimSpace(line), "Man page: "); ok {
			pages = strings.Split(list, ", ")
		}
	}
	why = strings.Join(strings.Fields(first), " ")
	why = strings.TrimPrefix(why, name+" ")
	if why != "" {
		why = strings.ToUpper(why[:1]) + why[1:]
	}
	return why, pages
}

// Brief is the first sentence of the reason.
func (r Reason) Brief() string { return new(doc.Package).Synopsis(r.Why) }
