package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheToolboxIsMadeOfTheBinaryThatTheEngineIsGiven(t *testing.T) {
	other := filepath.Join(t.TempDir(), "toolbox")
	self, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(other, append(self, "and more"...), 0o700)) // an ELF file may be longer than it says
	w := open(t)
	own, err := w.images.Get(toolboxName)
	require.NoError(t, err)
	w.replaced(func() { w.o.Toolbox = other })

	id := w.create(request("sleep", "1000"))
	require.NoError(t, w.Start(w.ctx(), id))
	info, err := os.Stat(fmt.Sprintf("/proc/%d/exe", w.pidOf(id)))
	require.NoError(t, err)
	require.EqualValues(t, len(self)+len("and more"), info.Size())
	_, err = w.images.Get(own.ID)
	require.Error(t, err, "the image that it took the place of")
}
