package exercise

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Report is the grading of a chapter.
type Report struct {
	Chapter      string   `json:"chapter"`
	Copy         string   `json:"copy"` // the learner's directory
	Points       int      `json:"points"`
	Of           int      `json:"of"`
	CompileError string   `json:"compileError,omitempty"` // and then nothing was graded
	Exercises    []Result `json:"exercises,omitempty"`
}

// Full reports whether nothing is left to be solved.
func (r Report) Full() bool { return r.CompileError == "" && r.Points == r.Of }

// Grading is one run of a chapter's graders on a learner's copy.
type Grading struct {
	Root  string // the repository
	Copy  string // the learner's directory, as it is to be shown
	List  List
	Limit time.Duration // for each exercise; 0 = 20 seconds
}

// Grade compiles the graders with the learner's files in place of the chapter's, and runs them one by one. It needs root, or
// sudo. Errors are about the surroundings; what is wrong with the copy is in the report.
func (g Grading) Grade(ctx context.Context) (Report, error) {
	r := Report{Chapter: g.List.Dir, Copy: g.Copy, Of: g.List.Points()}
	if err := g.List.check(); err != nil {
		return r, err
	}
	replace, err := g.replace()
	if err != nil {
		return r, err
	}
	dir, err := os.MkdirTemp("", "grade-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	b := build{root: g.Root, chapter: g.List.Dir, replace: replace, dir: dir, limit: cmp.Or(g.Limit, usualLimit)}
	out, err := b.compile(ctx)
	if err != nil {
		return r, err
	}
	if r.CompileError = g.located(out); r.CompileError != "" {
		return r, nil
	}
	if err := askSudo(ctx); err != nil {
		return r, err
	}
	passed := map[string]bool{}
	for _, e := range g.List.Exercises {
		result := Result{Exercise: e.Name, Title: e.Title, Of: e.Points, State: Waits}
		for _, a := range e.After {
			if !passed[a] {
				result.WaitsFor = append(result.WaitsFor, a)
			}
		}
		if len(result.WaitsFor) == 0 {
			result = b.grade(ctx, e)
			result.Output = g.located(result.Output)
		}
		passed[e.Name] = result.State == Passed
		r.Points += result.Points
		r.Exercises = append(r.Exercises, result)
	}
	return r, ctx.Err()
}

// askSudo has whoever is not root give the password, once and before anything else is printed.
func askSudo(ctx context.Context) error {
	if os.Geteuid() == 0 {
		return nil
	}
	cmd := exec.CommandContext(ctx, "sudo", "true")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the graders need root, and sudo does not give it: %w", err)
	}
	return nil
}

// replace is the overlay: the chapter's files, and new ones, are the learner's.
func (g Grading) replace() (map[string]string, error) {
	entries, err := os.ReadDir(g.Copy)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no copy %s: make exercise CH=%s first", g.Copy, g.List.number())
	}
	if err != nil {
		return nil, err
	}
	here, err := filepath.Abs(g.Copy)
	if err != nil {
		return nil, err
	}
	replace := map[string]string{}
	for _, e := range entries {
		if name := e.Name(); filepath.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go") {
			replace[filepath.Join(g.List.Dir, name)] = filepath.Join(here, name)
		}
	}
	if len(replace) == 0 {
		return nil, fmt.Errorf("%s holds no Go files: is it the copy that make exercise CH=%s wrote?", g.Copy, g.List.number())
	}
	return replace, nil
}

// located gives a message of the compiler, or of a panic, the names of the learner's files as the learner calls them.
func (g Grading) located(text string) string {
	root, _ := filepath.Abs(g.Root)
	here, _ := filepath.Abs(g.Copy)
	text = strings.ReplaceAll(text, here+"/", g.Copy+"/")
	if below, err := filepath.Rel(root, here); err == nil { // a file that the chapter does not have
		text = strings.ReplaceAll(text, "./"+below+"/", g.Copy+"/")
	}
	file := regexp.MustCompile(`(?m)(^|[\s(])(` + regexp.QuoteMeta(root) + `/|\./)?` + regexp.QuoteMeta(g.List.Dir) + `/([\w-]+\.go:\d+)`)
	return file.ReplaceAllString(text, "${1}"+strings.ReplaceAll(g.Copy, "$", "$$")+"/$3")
}

// build is one compilation of a chapter's graders.
type build struct {
	root    string
	chapter string
	replace map[string]string // files of the repository, from its root → files that take their place
	dir     string            // for the results
	limit   time.Duration     // for each grader
	variant string            // Gate: which one is in force
}

func (b build) binary() string { return filepath.Join(b.dir, "graders") }

// compile returns what the compiler has to complain of, "" = nothing.
func (b build) compile(ctx context.Context) (string, error) {
	root, err := filepath.Abs(b.root)
	if err != nil {
		return "", err
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for name, with := range b.replace {
		overlay.Replace[filepath.Join(root, name)] = with
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	file := filepath.Join(b.dir, "overlay.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return "", err
	}
	// Neither go vet, which would look at the graders only, nor what debuggers need: it halves the time that a learner waits.
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", file, "-o", b.binary(), "./"+b.chapter+"/exercises")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && ctx.Err() == nil {
		return strings.TrimSpace(string(out)), nil
	}
	return "", err
}

// grade runs one grader in a process of its own.
func (b build) grade(ctx context.Context, e Exercise) Result {
	ctx, cancel := context.WithTimeout(ctx, b.limit+usualLimit) // the grader's own clock is faster, and says more
	defer cancel()
	file := filepath.Join(b.dir, Word(e.Name))
	r := Result{Exercise: e.Name, Title: e.Title, Of: e.Points, State: Broken}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		r.Found = err.Error()
		return r
	}
	environ := []string{gradeVar + "=" + file, limitVar + "=" + b.limit.String(), variantVar + "=" + b.variant, roleVar + "="}
	args := []string{b.binary(), "-test.run=^TestGraders$/^" + e.Name + "$"}
	if os.Geteuid() != 0 { // sudo takes the environment away
		args = append(append([]string{"sudo", "env", "CUTAWAY_TIER=root", "PATH=" + os.Getenv("PATH")}, environ...), args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = filepath.Join(b.root, b.chapter)
	cmd.Env = append(os.Environ(), environ...)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, &out, &out
	cmd.WaitDelay = time.Second // what sudo started is not ours to kill
	runErr := cmd.Run()
	text, err := os.ReadFile(file)
	if err == nil && len(text) > 0 {
		err = json.Unmarshal(text, &r)
	}
	switch {
	case err != nil:
		r.Found = err.Error()
	case len(text) == 0:
		r.Check, r.Expected = "end of the grader", "it comes to its end"
		r.Found = fmt.Sprintf("it was ended: %v", runErr)
		r.Hint, r.Output = "Your code ran in the grader's own process, and ended it: with a panic, or os.Exit?", out.String()
	case r.State == Passed && runErr != nil: // the lab found something
		r.State, r.Points = Failed, 0
		r.Check, r.Expected, r.Found = "leftovers", "nothing is left behind", leftovers(out.String())
		r.Hint = "Whatever your code opens, mounts or starts, it also has to close, unmount or wait for."
	case r.State == Hung:
		r.Check, r.Expected = "end of the grader", fmt.Sprintf("an end within %v", b.limit)
		r.Found = "it waits still, and was ended"
		r.Hint = "What does the code wait for: a process that does not end, a descriptor that nobody closes, a channel? " +
			"A machine that is slow itself gets more time by make grade ARGS='-limit 1m'."
	}
	return r
}

// leftovers is what the lab says was left behind.
func leftovers(out string) string {
	_, after, found := strings.Cut(out, "left behind:\n")
	if !found {
		return strings.TrimSpace(out)
	}
	var all []string
	for line := range strings.Lines(after) {
		if !strings.HasPrefix(line, " ") {
			break
		}
		all = append(all, strings.TrimSpace(line))
	}
	return strings.Join(all, "; ")
}
