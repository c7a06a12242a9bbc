package exercise

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// State is how the grading of one exercise ended.
type State string

// The states. Only Passed brings points.
const (
	Passed   State = "passed"
	Unsolved State = "unsolved" // the body is still empty
	Failed   State = "failed"   // a check saw something else in the kernel than it expected
	Waits    State = "waits"    // for an exercise whose code it needs
	Hung     State = "hung"     // the code did not end in time
	Broken   State = "broken"   // the grader was ended, or could not prepare what it needs
)

// Result is the grading of one exercise.
type Result struct {
	Exercise string   `json:"exercise"`
	Title    string   `json:"title"`
	State    State    `json:"state"`
	Points   int      `json:"points"`
	Of       int      `json:"of"`
	WaitsFor []string `json:"waitsFor,omitempty"`
	Check    string   `json:"check,omitempty"` // the one that failed
	Expected string   `json:"expected,omitempty"`
	Found    string   `json:"found,omitempty"`
	Hint     string   `json:"hint,omitempty"`
	Output   string   `json:"output,omitempty"` // what the code printed
}

// Check compares what a grader found in the kernel with what should be there.
type Check struct {
	Name string // what was looked at, in a few words; wrong solutions name it as what has to catch them
	Want any
	Got  any
	Hint string // what to think about, if this is what was found
}

// Grader lets a learner's code work and looks at the kernel.
type Grader func(g *G)

// Graders are a chapter's graders, by the names of their exercises.
type Graders map[string]Grader

// G is the state of one grading. It is a testing.T, whose helpers (TempDir, Cleanup, …) may be used; what goes wrong
// through them is the grader's fault and not the learner's.
type G struct {
	*testing.T
	result Result
	output []string // files with what the code printed
}

// How long one grader may take. Ours take a second.
const (
	usualLimit   = 20 * time.Second // for a learner
	patientLimit = 2 * time.Minute  // for our own tests, on a machine that has other things to do
)

// The environment variables between the tool and the graders.
const (
	gradeVar   = "CUTAWAY_GRADE"         // the file for the result
	limitVar   = "CUTAWAY_GRADE_LIMIT"   // how long a grader may take; "" = patientLimit
	variantVar = "CUTAWAY_GRADE_VARIANT" // Gate: which variant of the functions is in force; see gate.go
)

// Run runs the graders on the package as it was compiled: the real code in "go test", a learner's in the tool, which starts
// this test once for each exercise. Its name has to be TestGraders.
func Run(t *testing.T, l List, graders Graders) {
	if err := l.check(); err != nil {
		t.Fatal(err)
	}
	for _, e := range l.Exercises {
		t.Run(e.Name, func(t *testing.T) {
			grader := graders[e.Name]
			if grader == nil {
				t.Fatalf("exercise %s has no grader", e.Name)
			}
			t.TempDir() // the first, so that it is removed after the report
			g := &G{T: t, result: Result{Exercise: e.Name, Title: e.Title, Of: e.Points, State: Broken}}
			watchdog := time.AfterFunc(timeLimit(), g.hung)
			t.Cleanup(func() { watchdog.Stop(); g.report() })
			defer g.recovered()
			grader(g)
			g.result.State, g.result.Points = Passed, e.Points
		})
	}
}

// ended is the check that a learner's function returns at all.
const (
	ended     = "end of the function"
	endedHint = "A panic, os.Exit, or a signal? Where it happened is among what was printed."
)

// recovered turns a panic of code that a grader called into a failed check.
func (g *G) recovered() {
	if r := recover(); r != nil {
		g.Check(Check{Name: ended, Want: "it returns", Got: fmt.Sprint("panic: ", r), Hint: endedHint})
	}
}

// hung ends a grader that waits for something that does not come.
func (g *G) hung() {
	g.result.State = Hung
	g.report()
	fmt.Printf("--- FAIL: %s did not end within %v\n", g.Name(), timeLimit())
	os.Exit(1)
}

func timeLimit() time.Duration {
	if d, err := time.ParseDuration(os.Getenv(limitVar)); err == nil && d > 0 {
		return d
	}
	return patientLimit
}

// report leaves the result where the tool finds it, and in the test's log.
func (g *G) report() {
	if g.Skipped() {
		return // no grading: only who runs the tests without root gets there
	}
	g.result.Output = g.printed()
	if g.result.State != Passed {
		g.Logf("check %q\nexpected  %s\nfound     %s\nhint      %s\n%s",
			g.result.Check, g.result.Expected, g.result.Found, g.result.Hint, g.result.Output)
	}
	path := os.Getenv(gradeVar)
	if path == "" {
		return
	}
	text, err := json.Marshal(g.result)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		g.Error(err)
	}
}

// Check ends the grader unless what was found is what was wanted, as fmt.Sprint writes them.
func (g *G) Check(c Check) {
	g.Helper()
	want, got := fmt.Sprint(c.Want), fmt.Sprint(c.Got)
	if want == got {
		return
	}
	g.result.State, g.result.Check, g.result.Expected, g.result.Found, g.result.Hint = Failed, c.Name, want, got, c.Hint
	if unsolvedError.MatchString(got) {
		g.result.State, g.result.Hint = Unsolved, "The task stands in the body."
	}
	g.FailNow()
}

// NoError checks that the learner's function returned no error. The hint is used if it did, and was not
// simply left unsolved; "" is a general one.
func (g *G) NoError(err error, hint string) {
	g.Helper()
	if err == nil {
		return
	}
	g.Check(Check{
		Name: "error", Want: "no error", Got: err,
		Hint: cmp.Or(hint, "Which system call was it, and what does its man page say of this errno?"),
	})
}

// Fails checks that the learner's function returned an error for which errors.Is(err, target) holds. Silent success is the
// commonest defect of the field. What was done is for the sentence "an error, because …".
func (g *G) Fails(err, target error, because string) {
	g.Helper()
	if errors.Is(err, target) {
		return
	}
	got, hint := fmt.Sprint(err), "The error has to wrap the errno, so that errors.Is finds it: %w, *os.PathError or os.NewSyscallError."
	if err == nil {
		got, hint = "no error", "An error of the kernel was lost: look at what every call returns."
	}
	g.Check(Check{Name: "told error", Want: fmt.Sprintf("an error (%v), because %s", target, because), Got: got, Hint: hint})
}

// Must ends the grader, as broken, if it could not prepare what it needs.
func (g *G) Must(err error) {
	g.Helper()
	if err != nil {
		g.result.Found = err.Error()
		g.Fatal("the grader itself: ", err)
	}
}

// Word returns a name that nobody knew before, which begins with prefix.
func Word(prefix string) string {
	const letters = "abcdefghijkmnpqrstuvwxyz23456789"
	word := []byte(prefix + "-")
	for range 6 {
		word = append(word, letters[rand.IntN(len(letters))])
	}
	return string(word)
}

// Number returns a number from low on and below high that nobody knew before.
func Number(low, high int) int { return low + rand.IntN(high-low) }

// Dir makes a directory with a name that nobody knew before and no symbolic link in its path.
func (g *G) Dir(prefix string) string {
	g.Helper()
	top, err := filepath.EvalSymlinks(g.TempDir())
	g.Must(err)
	dir := filepath.Join(top, Word(prefix))
	g.Must(os.Mkdir(dir, 0o755))
	return dir
}

// ownFrame is a line of a stack trace that is about the graders.
var ownFrame = regexp.MustCompile(`(?m)^cutaway/\S+/exercises?\.`)

// printed is what the code wrote to standard output and error, shortened from the front.
func (g *G) printed() string {
	var all strings.Builder
	for _, path := range g.output {
		text, err := os.ReadFile(path)
		if err == nil {
			all.Write(text)
		}
	}
	const enough = 2000 // bytes
	text := all.String()
	if trace := ownFrame.FindStringIndex(text); trace != nil {
		text = text[:trace[0]] // from here on down it is the grader's code
	}
	text = strings.TrimSpace(text)
	return text[max(0, len(text)-enough):]
}
