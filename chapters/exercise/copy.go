package exercise

import (
	"errors"
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Copy writes the learner's copy of a chapter into dir, which must not exist or be empty: the package's files, in which the
// exercises' functions have no body but a task, and what makes it a Go module of its own, so that an editor understands it and "./..."
// of the repository passes it by. It returns the names of the files that hold exercises. root is the repository.
//
// Nothing that exists is ever written over; a copy that fails half-way leaves no file.
func (l List) Copy(root, dir string) ([]string, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("%s is there already, with work that may be yours: move it away, or name another directory (DIR=…)", dir)
	}
	files, changed, err := l.emptied(root)
	if err != nil {
		return nil, err
	}
	if err := l.addModule(root, files); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return changed, writeAll(dir, files)
}

// writeAll writes all files or none.
func writeAll(dir string, files map[string][]byte) error {
	var written []string
	for name, text := range files {
		path := filepath.Join(dir, name)
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err == nil {
			written = append(written, path)
			_, err = f.Write(text)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			for _, path := range written {
				err = errors.Join(err, os.Remove(path))
			}
			return err
		}
	}
	return nil
}

// emptied returns the files of the copy by their names, and which of them hold exercises.
func (l List) emptied(root string) (files map[string][]byte, changed []string, err error) {
	files = map[string][]byte{}
	found := map[string]bool{}
	sources, err := goFiles(filepath.Join(root, l.Dir))
	if err != nil {
		return nil, nil, err
	}
	for _, f := range sources {
		name := filepath.Base(f.name())
		files[name] = f.text
		files["unsolved.go"] = fmt.Appendf(nil, placeholder, f.tree.Name.Name)
		names := l.inFile(f)
		if len(names) == 0 {
			continue
		}
		for _, n := range names {
			found[n] = true
		}
		files[name], err = f.empty(names, func(fn *ast.FuncDecl, packages []string) string {
			e, _ := l.owner(functionName(fn))
			return l.task(e, packages) + f.unsolvedReturn(fn, e.Name)
		})
		if err != nil {
			return nil, nil, fmt.Errorf("empty %s: %w", f.name(), err)
		}
		changed = append(changed, name)
	}
	for _, e := range l.Exercises {
		for _, fn := range e.Empty {
			if !found[fn] {
				return nil, nil, fmt.Errorf("exercise %s: %s has no function %s", e.Name, l.Dir, fn)
			}
		}
	}
	return files, changed, nil
}

// goFiles parses the files of the package in dir, without its tests.
func goFiles(dir string) ([]file, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var all []file
	for _, p := range paths {
		if strings.HasSuffix(p, "_test.go") {
			continue
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		f, err := parse(p, text)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no Go files", dir)
	}
	return all, nil
}

func (f file) name() string { return f.fset.File(f.tree.FileStart).Name() }

// inFile lists the functions of f that exercises empty, in the order of the list.
func (l List) inFile(f file) (names []string) {
	has := f.functions()
	for _, e := range l.Exercises {
		for _, name := range e.Empty {
			if has[name] != nil {
				names = append(names, name)
			}
		}
	}
	return names
}

// task is what stands in a body that was emptied.
func (l List) task(e Exercise, packages []string) string {
	text := fmt.Sprintf("Exercise %s (%s): %s\n\n%s", e.Name, points(e.Points), e.Title, strings.TrimSpace(e.Task))
	if len(e.Empty) > 1 {
		text += "\n\nIt is all of these: " + strings.Join(e.Empty, ", ") + "."
	}
	if len(packages) > 0 {
		text += "\n\nOur solutions in this file also import " + strings.Join(packages, ", ") + "."
	}
	text += fmt.Sprintf("\n\nmake grade CH=%s", l.number())
	var out strings.Builder
	for p := range strings.SplitSeq(text, "\n\n") {
		if out.Len() > 0 {
			out.WriteString("\t//\n")
		}
		for _, line := range wrap(p, 80) {
			out.WriteString("\t// " + line + "\n")
		}
	}
	return out.String()
}

// number is how make calls the chapter: "01".
func (l List) number() string { n, _, _ := strings.Cut(l.Dir, "-"); return n }

// wrap breaks a paragraph into lines of at most width characters, where its words allow.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len([]rune(line+" "+word)) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}

var moduleLine = regexp.MustCompile(`(?m)^module .*$`)

// addModule adds what a Go module needs, and the tasks to read.
func (l List) addModule(root string, files map[string][]byte) error {
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		files[name] = moduleLine.ReplaceAll(text, []byte("module cutaway/"+l.Dir))
	}
	files["README.md"] = []byte("# The exercises of " + l.Dir + "\n\n" + l.Section())
	return nil
}
