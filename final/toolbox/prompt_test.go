package toolbox

import (
	"os/exec"
	"testing"

	"cutaway/chapters/lab"

	"github.com/stretchr/testify/require"
)

// shellAtTerminal starts an interactive sh.
func shellAtTerminal(t *testing.T) *lab.Terminal {
	exe, err := exec.LookPath("sh") // testscript has put the applets into PATH
	require.NoError(t, err)
	cmd := exec.Command(exe)
	cmd.Dir = "/"
	x := lab.AtTerminal(t, cmd)
	x.Sees(`/ # $`)
	return x
}

func TestPromptEditsAndRemembersLines(t *testing.T) {
	x := shellAtTerminal(t)
	x.Types("echo one\r").Sees(`\none\n/ # $`)
	x.Types("\x1b[A\r").Sees(`\none\n/ # $`)        // up: the line again
	x.Types("echo onx\x7fe\r").Sees(`\none\n/ # $`) // backspace
	x.Types("echo lost\x03").Sees(`\^C\n/ # $`)     // Ctrl-C
	x.Types("echo $?\r").Sees(`\n130\n/ # $`)
	x.Types("cd /tmp\r").Sees(`/tmp # $`)
}

func TestPromptAsksForTheRestOfACommand(t *testing.T) {
	x := shellAtTerminal(t)
	x.Types("for i in 1 2\r").Sees(`\n> $`)
	x.Types("do echo \"i $i\"\r").Sees(`\n> $`)
	x.Types("done\r").Sees(`\ni 1\ni 2\n/ # $`)
	x.Types("if ; then\r").Sees(`sh: .*\n/ # $`) // an error does not end an interactive shell
}

func TestCtrlCEndsTheCommandAndNotTheShell(t *testing.T) {
	x := shellAtTerminal(t)
	x.Types("cat\r").Sees(`\n$`)
	x.Types("echoed\n").Sees(`echoed\nechoed\n`) // twice: the terminal's echo, and cat
	x.Types("\x03").Sees(`\^C\n/ # $`)
	x.Types("echo $?\r").Sees(`\n130\n/ # $`)
	x.Types("while true; do echo round; sleep 0.01; done\r").Sees(`round\nround`)
	x.Types("\x03").Sees(`/ # $`)
	x.Types("echo $?\r").Sees(`\n130\n/ # $`)
}

func TestCtrlCEndsAWaitAndNotTheJob(t *testing.T) {
	x := shellAtTerminal(t)
	x.Types("sleep 100 & wait\r").Sees(`\[1\] \d+\n$`)
	x.Types("\x03").Sees(`/ # $`)
	x.Types("kill $!; wait $!; echo $?\r").Sees(`\n143\n/ # $`)
}

func TestCtrlDEndsTheShellWithTheLastStatus(t *testing.T) {
	x := shellAtTerminal(t)
	x.Types("(exit 4)\r").Sees(`/ # $`)
	x.Types("\x04")
	require.Equal(t, 4, x.Ends())
}
