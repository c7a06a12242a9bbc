package cgroups

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"cutaway/chapters/lab"

	"github.com/stretchr/testify/require"
)

// What chapters/03-cgroups.md shows of a machine with v2, and of one with v1, is in testdata/session.
func TestSessionsOfTheBookPrintWhatItSays(t *testing.T) {
	lab.NeedRoot(t)
	sys, err := Detect()
	require.NoError(t, err)
	file := "testdata/session/v1"
	if h, _ := sys.hierarchy("memory"); h.Version == V2 {
		file = "testdata/session/v2"
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	want := strings.ReplaceAll(string(text), "lesson", lab.CgroupName(t))
	var script strings.Builder
	for line := range strings.Lines(want) {
		if command, ok := strings.CutPrefix(line, "# "); ok {
			script.WriteString("printf %s \"" + strings.NewReplacer(`"`, `\"`, "$", `\$`).Replace("# "+command) + "\"\n" + command)
		}
	}
	cmd := exec.Command("bash")
	cmd.Stdin = strings.NewReader(script.String())
	got, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", got)
	require.Equal(t, withoutMachine(want), withoutMachine(string(got)))
}

// withoutMachine takes away what differs from one machine, shell or kernel to another: controllers, the numbers of hierarchies, and
// how an interactive shell speaks.
func withoutMachine(session string) string {
	for _, expr := range []string{`(?m)^cpuset .*`, `(?m)^\d+:`, `(?m)^-?bash: (line \d+: )?`, `(?m)^.*Killed.*\n`, `(?m)^cat: .*: `} {
		session = regexp.MustCompile(expr).ReplaceAllString(session, "")
	}
	return session
}

func TestStepsOfTheBookAreThoseOfAMachineWithV2(t *testing.T) {
	sys := &System{Hierarchies: []Hierarchy{{Version: V2, Base: "/sys/fs/cgroup", Controllers: both["v2"].Hierarchies[0].Controllers}}}
	steps, err := sys.Steps("cutaway-limit/144", Limits{MemoryMax: 64_000_001, CPUQuota: 50_000, PidsMax: 20})
	require.NoError(t, err)
	var lines strings.Builder
	for _, s := range steps {
		lines.WriteString("+ " + s.String() + "\n")
	}
	lines.WriteString("+ " + sys.Join("cutaway-limit/144").String() + "\n")
	want, err := os.ReadFile("testdata/session/steps")
	require.NoError(t, err)
	require.Equal(t, string(want), lines.String())
}
