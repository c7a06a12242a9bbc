package toolbox

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

// The test binary is the multi-call binary: testscript puts it into PATH under the name of every applet.
func TestMain(m *testing.M) {
	commands := map[string]func(){"toolbox": run}
	for _, name := range Applets() {
		commands[name] = run
	}
	testscript.Main(m, commands)
}

func run() { os.Exit(Run(os.Args)) }

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"code": code},
	})
}

// code runs a program and checks its exit status: "code 127 sh -c nosuch".
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got, err = exit.ExitCode(), nil
	}
	ts.Check(err)
	if got != want {
		ts.Fatalf("exit status %d, want %d\nstderr: %s", got, want, ts.ReadFile("stderr"))
	}
}

func TestAppletsAreSortedAndFound(t *testing.T) {
	names := Applets()
	require.IsIncreasing(t, names)
	for _, name := range names {
		require.NotNil(t, find(name), name)
	}
	require.Nil(t, find("nosuch"))
}

func TestHasKnowsNamesHoweverTheyAreCalled(t *testing.T) {
	for argv0, want := range map[string]bool{
		"sh": true, "/bin/ls": true, "-sh": true, "toolbox": true, "./toolbox": true,
		"cutaway": false, "/usr/local/bin/cutaway": false, "": false,
	} {
		require.Equal(t, want, Has(argv0), argv0)
	}
}
