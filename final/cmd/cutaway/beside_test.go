package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cutaway/final/toolbox"

	"github.com/stretchr/testify/require"
)

func TestAToolboxIsTakenOnlyIfItIsOurs(t *testing.T) {
	exe, err := os.Executable()
	require.NoError(t, err)
	at := filepath.Join(filepath.Dir(exe), "toolbox-beside")
	applets := strings.Join(toolbox.Applets(), "\n")
	for _, row := range []struct {
		what, says string
		mode       os.FileMode
		uid        int
		taken      bool
	}{
		{"ours", applets, 0o755, os.Geteuid(), true},
		{"not executable", applets, 0o644, os.Geteuid(), false},
		{"others may write", applets, 0o757, os.Geteuid(), false},
		{"of another version", "ls", 0o755, os.Geteuid(), false},
		{"somebody else's", applets, 0o755, 12345, false},
	} {
		require.NoError(t, os.WriteFile(at, []byte("#!/bin/sh\ncat <<'E'\n"+row.says+"\nE\n"), 0o600))
		require.NoError(t, os.Chmod(at, row.mode))
		if row.uid == os.Geteuid() || os.Geteuid() == 0 {
			require.NoError(t, os.Chown(at, row.uid, -1))
			require.Equal(t, row.taken, beside("toolbox-beside") == at, row.what)
		}
		require.NoError(t, os.Rename(at, at+".real"))
		require.NoError(t, os.Symlink(at+".real", at))
		require.Empty(t, beside("toolbox-beside"), "a link")
		require.NoError(t, os.Remove(at))
		require.Empty(t, beside("toolbox-beside"), "none")
		require.NoError(t, os.Remove(at+".real"))
	}
}
