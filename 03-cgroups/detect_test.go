package cgroups

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
)

// Each archive in testdata/detect holds kernel files captured on a machine, and
// in "want" what Detect makes of them.
func TestHierarchiesAreFound(t *testing.T) {
	archives, err := filepath.Glob("testdata/detect/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, archives)
	for _, file := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			root, want := extract(t, archive)
			sys, err := detect(root)
			if err != nil {
				require.Equal(t, want, fmt.Sprintf("error %.31s\n", err))
				return
			}
			require.Equal(t, want, describe(sys))
		})
	}
}

// extract writes the files of the archive; a name that ends in /. is a directory.
func extract(t *testing.T, archive *txtar.Archive) (root, want string) {
	root = t.TempDir()
	for _, f := range archive.Files {
		if f.Name == "want" {
			want = string(f.Data)
			continue
		}
		path := filepath.Join(root, f.Name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		if strings.HasSuffix(f.Name, "/.") {
			require.NoError(t, os.MkdirAll(path, 0o755))
			continue
		}
		require.NoError(t, os.WriteFile(path, f.Data, 0o644))
	}
	return root, want
}

func describe(s *System) string {
	text := fmt.Sprintf("%s: %s\n", s.Mode(), strings.Join(s.Controllers(), " "))
	for _, h := range s.Hierarchies {
		text += fmt.Sprintf("v%d %s", h.Version, h.Base)
		if h.Occupied {
			text += " occupied"
		}
		text += "\n"
	}
	return text
}
