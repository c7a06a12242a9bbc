package plan

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	namespaces "cutaway/02-namespaces"
	"cutaway/final/volume"

	"github.com/stretchr/testify/require"
)

// note is a step that a test can watch.
type note struct {
	name string
	log  *journalOf
	err  error
}

// journalOf is what happened, in order.
type journalOf struct {
	mu    sync.Mutex
	lines []string
}

func (j *journalOf) add(s string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, s)
}

func (n note) Do() error {
	n.log.add("do " + n.name)
	return n.err
}

func (n note) Undo() error {
	n.log.add("undo " + n.name)
	return nil
}

func (n note) String() string { return n.name }

func runner(child func(*Plan) error) *Runner {
	return &Runner{Child: func(p *Plan, connected func() error) error { return errors.Join(child(p), connected()) }, Abort: func() {}}
}

func TestInsideFollowsWhenEveryLaneHasEnded(t *testing.T) {
	log := &journalOf{}
	p := New("c")
	for _, lane := range []Lane{Root, Limits, Wire, Process} {
		p.Add(lane, note{string(lane) + "1", log, nil}, note{string(lane) + "2", log, nil})
	}
	p.Add(Inside, note{"inside", log, nil})
	err := runner(func(p *Plan) error {
		require.Len(t, p.Of(Inside), 1)
		log.add("child")
		return nil
	}).Run(p)
	require.NoError(t, err)
	require.Len(t, log.lines, 9)
	require.Equal(t, "child", log.lines[8])
	for _, it := range p.Items[:8] {
		require.Equal(t, Done, it.State)
	}
}

// held is a step that waits.
type held struct {
	note
	until chan struct{}
}

func (h held) Do() error {
	<-h.until
	return h.note.Do()
}

func TestTheCableIsPluggedInWhileTheChildIsAtWork(t *testing.T) {
	for _, fails := range []error{nil, syscall.ENODEV} {
		log, inside := &journalOf{}, make(chan struct{})
		p := New("c")
		p.Add(Wire, note{"wire", log, nil})
		p.Add(Cable, held{note{"cable", log, fails}, inside})
		r := Runner{Child: func(_ *Plan, connected func() error) error {
			log.add("child")
			close(inside)
			if err := connected(); err != nil {
				return err
			}
			log.add("program")
			return nil
		}, Abort: func() { log.add("abort") }}
		if err := r.Run(p); fails != nil {
			require.ErrorIs(t, err, fails)
			require.Equal(t, []string{"do wire", "child", "do cable", "abort", "undo cable", "undo wire"}, log.lines)
			continue
		}
		require.Equal(t, []string{"do wire", "child", "do cable", "program"}, log.lines)
	}
}

func TestTheErrorOfTheCableIsNotLostBehindTheChilds(t *testing.T) {
	p := New("c")
	p.Add(Wire, note{"wire", &journalOf{}, nil})
	p.Add(Cable, note{"cable", &journalOf{}, syscall.EADDRINUSE})
	r := Runner{Child: func(*Plan, func() error) error { return syscall.ENOENT }, Abort: func() {}}
	err := r.Run(p)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.ErrorIs(t, err, syscall.ENOENT)
}

func TestAFailureUndoesWhatWasBegunLastFirst(t *testing.T) {
	log := &journalOf{}
	p := New("c")
	p.List(note{"engine's", log, nil})
	p.Add(Root, note{"a", log, nil}, note{"b", log, syscall.EBUSY}, note{"never", log, nil})
	aborted := false
	err := (&Runner{Abort: func() { aborted = true }}).Run(p)
	require.ErrorIs(t, err, syscall.EBUSY)
	require.True(t, aborted)
	require.Equal(t, []string{"do a", "do b", "undo b", "undo a"}, log.lines)
	var f *Failure
	require.ErrorAs(t, err, &f)
	require.Equal(t, "plan.note", f.Step)
}

func TestAPanicOfAStepIsItsFailure(t *testing.T) {
	p := New("c")
	p.Add(Root, panics{})
	require.ErrorContains(t, (&Runner{Abort: func() {}}).Run(p), "panic: oh")
}

type panics struct{}

func (panics) Do() error      { panic("oh") }
func (panics) String() string { return "" }

func TestAPlanComesBackFromTheDiskAsItWas(t *testing.T) {
	dir, made := t.TempDir(), filepath.Join(t.TempDir(), "made")
	p := New("c")
	p.Add(Root, volume.Directory{Path: made}, volume.File{Path: made + "/f", Content: "x"})
	p.Add(Inside, namespaces.Hostname{Name: "web"})
	require.NoError(t, p.Keep(dir))
	require.Error(t, runner(func(*Plan) error { return errors.New("stop here") }).Run(p))
	require.NoError(t, p.Close())

	back, err := Load(dir)
	require.NoError(t, err)
	defer back.Close()
	require.Len(t, back.Items, 3)
	for i := range p.Items {
		require.Equal(t, p.Items[i].Step, back.Items[i].Step)
		require.Equal(t, p.Items[i].State, back.Items[i].State)
	}
	require.FileExists(t, made+"/f")
}

func TestATornJournalTellsOfWhatWasBegun(t *testing.T) {
	dir := t.TempDir()
	p := New("c")
	p.Add(Root, volume.Directory{Path: "/a"}, volume.Directory{Path: "/b"})
	require.NoError(t, p.Keep(dir))
	require.NoError(t, p.Close())
	require.NoError(t, os.WriteFile(journalIn(dir), []byte(`{"i":0,"state":"begun"}`+"\n"+`{"i":1,"sta`), 0o600))
	back, err := Load(dir)
	require.NoError(t, err)
	defer back.Close()
	require.Equal(t, Begun, back.Items[0].State)
	require.Equal(t, Waiting, back.Items[1].State)
}

func TestAPlanThatIsNotThere(t *testing.T) {
	_, err := Load(t.TempDir())
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestAStepThatCouldNotBeReadBackIsRefused(t *testing.T) {
	p := New("c")
	p.Add(Root, panics{})
	require.ErrorContains(t, p.Keep(t.TempDir()), "plan.panics is not in the catalogue")
}

func TestEveryStepSurvivesTheWayThroughJSON(t *testing.T) {
	p := New("c")
	p.Add(Inside, Steps...)
	data, err := json.Marshal(p)
	require.NoError(t, err)
	var back Plan
	require.NoError(t, json.Unmarshal(data, &back), "%s", data)
	for i, s := range Steps {
		require.Equal(t, nameOf(s), back.Items[i].Name())
	}
}

// demonstrations are steps of the chapters that no container needs.
var demonstrations = map[string]bool{
	"chroot.Chroot": true, "namespaces.ClockOffset": true, "namespaces.Loopback": true, "namespaces.Maps": true,
}

func TestTheCatalogueHasEveryStepOfTheChapters(t *testing.T) {
	for _, dir := range []string{"01-chroot", "02-namespaces", "03-cgroups", "04-unionfs", "06-network", "final/security", "final/shim", "final/volume"} {
		files, err := filepath.Glob("../../" + dir + "/*.go")
		require.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			require.NoError(t, err)
			for _, decl := range f.Decls {
				name, ok := doer(decl)
				if name = f.Name.Name + "." + name; ok && !demonstrations[name] {
					_, known := catalogue()[name]
					require.True(t, known, name)
				}
			}
		}
	}
}

// doer is the exported type whose method Do() a declaration is.
func doer(decl ast.Decl) (string, bool) {
	fn, ok := decl.(*ast.FuncDecl)
	if !ok || fn.Recv == nil || fn.Name.Name != "Do" || fn.Type.Params.NumFields() != 0 {
		return "", false
	}
	id, ok := fn.Recv.List[0].Type.(*ast.Ident)
	return id.Name, ok && id.IsExported()
}

// reader is a step that keeps what the journal says when it is done.
type reader struct {
	note
	journal string
	said    *string
}

func (r reader) Do() error {
	data, err := os.ReadFile(r.journal)
	*r.said = string(data)
	return err
}

func TestThatAStepBeginsIsWrittenBeforeItIsDone(t *testing.T) {
	dir, log := t.TempDir(), &journalOf{}
	f, err := os.Create(journalIn(dir))
	require.NoError(t, err)
	var first, second string
	p := New("c")
	p.Add(Root, reader{note{"a", log, nil}, journalIn(dir), &first}, reader{note{"b", log, nil}, journalIn(dir), &second})
	p.journal = &Journal{lines: f}
	require.NoError(t, runner(func(*Plan) error { return nil }).Run(p))
	require.Regexp(t, `^{"i":0,"state":"begun"}\n$`, first)
	require.Regexp(t, `^{"i":0,"state":"begun"}\n{"i":0,"state":"done",.*}\n{"i":1,"state":"begun"}\n$`, second)
	require.NoError(t, p.Close())
	all, err := os.ReadFile(journalIn(dir))
	require.NoError(t, err)
	require.Regexp(t, `\n{"i":1,"state":"done",.*}\n$`, string(all))
}

func TestAStepThatCannotBeWrittenDownIsNotDone(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "a")
	p := New("c")
	p.Add(Root, volume.Directory{Path: dir})
	p.journal = &Journal{lines: full}
	r := runner(func(*Plan) error { return nil })
	require.ErrorIs(t, r.Run(p), syscall.ENOSPC)
	require.NoDirExists(t, dir)
	require.NoError(t, p.Close())
}
