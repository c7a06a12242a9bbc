package exercise

import (
	"bytes"
	"context"
	"fmt"
	"go/ast"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"cutaway/chapters/lab"
)

// wrongs is how many wrong solutions an exercise needs at least.
const wrongs = 2

// races is how often a wrong solution is graded at most: one that does not wait may have luck, and the kernel be
// done by the time the grader looks; but not every time.
const races = 6

// wrong is one wrong solution: a function in testdata, which stands for one that an exercise empties.
type wrong struct {
	name     string // "Pivot.DoWithoutSlave"
	caughtBy string // the check that has to catch it
	exercise Exercise
	function string // "Pivot.Do"
}

// caughtBy is the line of a wrong solution's comment that names the check.
var caughtBy = regexp.MustCompile(`(?m)^Caught by: (.+)$`)

// Gate holds a chapter's exercises to their word, in the directory of their tests: the learner's copy compiles; emptied, every
// exercise fails; and every wrong solution in testdata fails by the check that its comment names. It needs root.
func Gate(t *testing.T, l List) {
	lab.NeedRoot(t)
	const root = "../.."
	all, err := l.wrongSolutions("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range l.Exercises {
		n := 0
		for _, w := range all {
			if w.exercise.Name == e.Name {
				n++
			}
		}
		if n < wrongs {
			t.Errorf("exercise %s has %d wrong solutions in testdata, and needs %d", e.Name, n, wrongs)
		}
	}
	t.Run("copy", func(t *testing.T) { l.gateCopy(t, root) })

	b := build{root: root, chapter: l.Dir, dir: t.TempDir(), limit: patientLimit}
	if b.replace, err = l.variants(root, b.dir, all); err != nil {
		t.Fatal(err)
	}
	if out, err := b.compile(context.Background()); err != nil || out != "" {
		t.Fatal(err, out)
	}
	for _, e := range l.Exercises {
		t.Run(e.Name+"/emptied", func(t *testing.T) {
			t.Parallel()
			if r := b.with(e.Name).grade(context.Background(), e); r.State != Failed && r.State != Unsolved {
				t.Errorf("%s: %s %s", r.State, r.Found, r.Output)
			}
		})
	}
	for _, w := range all {
		t.Run(w.exercise.Name+"/"+w.name, func(t *testing.T) {
			t.Parallel()
			for range races {
				r := b.with(w.name).grade(context.Background(), w.exercise)
				t.Logf("%s: check %q: expected %s, found %s\nhint: %s\n%s", r.State, r.Check, r.Expected, r.Found, r.Hint, r.Output)
				if (r.State == Failed || r.State == Hung) && r.Check == w.caughtBy {
					return
				}
			}
			t.Errorf("the check %q should catch it", w.caughtBy)
		})
	}
}

// with is the same build with a variant in force.
func (b build) with(variant string) build {
	b.variant = variant
	return b
}

// gateCopy makes a learner's copy and compiles it as the module that it is.
func (l List) gateCopy(t *testing.T, root string) {
	dir := filepath.Join(t.TempDir(), "copy")
	changed, err := l.Copy(root, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range changed {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if tidy, err := format.Source(text); err != nil || !bytes.Equal(tidy, text) {
			t.Errorf("%s is not as gofmt has it: %v", name, err)
		}
	}
	cmd := exec.Command("go", "build", "./...")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("the copy does not compile: %v\n%s", err, out)
	}
	if _, err := l.Copy(root, dir); err == nil {
		t.Error("a second copy overwrote the first")
	}
}

// wrongSolutions finds the functions in dir that stand for emptied ones.
func (l List) wrongSolutions(dir string) ([]wrong, error) {
	files, err := goFiles(dir)
	if err != nil {
		return nil, err
	}
	var all []wrong
	for _, f := range files {
		if tidy, err := format.Source(f.text); err != nil || !bytes.Equal(tidy, f.text) {
			return nil, fmt.Errorf("%s: gofmt it", f.name())
		}
		for name, fn := range f.functions() {
			m := caughtBy.FindStringSubmatch(fn.Doc.Text())
			if m == nil {
				continue // it helps another
			}
			e, function := l.owner(name)
			if function == "" || function == name {
				return nil, fmt.Errorf("%s: the name of %s is not that of an emptied function and more", f.name(), name)
			}
			all = append(all, wrong{name, strings.TrimSuffix(m[1], "."), e, function})
		}
	}
	return all, nil
}

// variants writes into dir the chapter's files in which every emptied function dispatches, and returns the overlay.
func (l List) variants(root, dir string, all []wrong) (map[string]string, error) {
	files, err := goFiles(filepath.Join(root, l.Dir))
	if err != nil {
		return nil, err
	}
	replace := map[string]string{}
	add := func(name, text string) error {
		path := filepath.Join(dir, name)
		replace[filepath.Join(l.Dir, name)] = path
		return os.WriteFile(path, []byte(text), 0o600)
	}
	for _, f := range files {
		names := l.inFile(f)
		if len(names) == 0 {
			continue
		}
		var edits []edit
		var dispatchers strings.Builder
		for _, name := range names {
			fn := f.functions()[name]
			edits = append(edits, edit{f.offset(fn.Name.Pos()), f.offset(fn.Name.End()), fn.Name.Name + "AsSolved"})
			dispatchers.WriteString(l.dispatcher(f, fn, all))
		}
		if err := add(filepath.Base(f.name()), string(apply(f.text, edits))+dispatchers.String()); err != nil {
			return nil, err
		}
	}
	pkg := files[0].tree.Name.Name
	if err := add("unsolved.go", fmt.Sprintf(placeholder, pkg)); err != nil {
		return nil, err
	}
	err = add("variant.go", fmt.Sprintf("package %s\n\nimport \"os\"\n\nvar gradeVariant = os.Getenv(%q)\n", pkg, variantVar))
	if err != nil {
		return nil, err
	}
	wrong, err := filepath.Glob("testdata/*.go")
	for _, path := range wrong {
		if replace[filepath.Join(l.Dir, "wrong_"+filepath.Base(path))], err = filepath.Abs(path); err != nil {
			return nil, err
		}
	}
	return replace, err
}

// dispatcher is a function like fn that calls the variant in force: emptied, wrong, or as solved.
func (l List) dispatcher(f file, fn *ast.FuncDecl, all []wrong) string {
	name := functionName(fn)
	e, _ := l.owner(name)
	receiver, call := "", ""
	if fn.Recv != nil {
		receiver, call = "(r0 "+typeText(f, fn.Recv.List[0].Type)+") ", "r0."
	}
	var params, args []string
	for _, p := range fn.Type.Params.List {
		for range max(1, len(p.Names)) {
			arg := fmt.Sprintf("a%d", len(args))
			params = append(params, arg+" "+typeText(f, p.Type))
			if _, ok := p.Type.(*ast.Ellipsis); ok {
				arg += "..."
			}
			args = append(args, arg)
		}
	}
	results, give := "", ""
	if fn.Type.Results != nil {
		results, give = f.source(fn.Type.Results.Pos(), fn.Type.Results.End()), "return "
	}
	var out strings.Builder
	fmt.Fprintf(&out, "\nfunc %s%s(%s) %s {\n\tswitch gradeVariant {\n", receiver, fn.Name.Name, strings.Join(params, ", "), results)
	fmt.Fprintf(&out, "\tcase %q:\n\t\t%s\n", e.Name, f.unsolvedReturn(fn, e.Name))
	for _, w := range all {
		if w.function == name {
			short := w.name[strings.LastIndexByte(w.name, '.')+1:]
			fmt.Fprintf(&out, "\tcase %q:\n\t\t%s%s%s(%s)\n", w.name, give, call, short, strings.Join(args, ", "))
		}
	}
	fmt.Fprintf(&out, "\tdefault:\n\t\t%s%s%sAsSolved(%s)\n\t}\n}\n", give, call, fn.Name.Name, strings.Join(args, ", "))
	return out.String()
}

func typeText(f file, t ast.Expr) string { return f.source(t.Pos(), t.End()) }
