package engine

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheFirstEngineAfterABootFindsNoExecRoot(t *testing.T) {
	w := open(t)
	o := w.o
	require.NoError(t, w.Close())
	require.NoError(t, os.RemoveAll(o.ExecRoot))

	ctx, end := context.WithCancel(w.ctx())
	defer end()
	o.Hosts = []string{"unix://" + filepath.Join(o.ExecRoot, "cutaway.sock")}
	ready := false
	o.Ready = func() { ready = true; end() }
	require.NoError(t, Serve(ctx, o))
	require.True(t, ready)

	next, err := Open(w.o)
	require.NoError(t, err)
	w.Engine = next
}
