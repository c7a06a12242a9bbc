package shim

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestATerminalThatHasEndedHasEverySize(t *testing.T) {
	p := newProcess(Stdio{TTY: true})
	terminal, err := os.Open("/dev/null")
	require.NoError(t, err)
	p.setTerminal(terminal)
	require.Error(t, p.resize(Size{Rows: 1, Columns: 1}), "it is none")
	require.NoError(t, terminal.Close())
	require.NoError(t, p.resize(Size{Rows: 1, Columns: 1}))
}
