package unionfs

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// many is an archive of n small files in directories of 40.
func many(t testing.TB, n int) []byte {
	t.Helper()
	var text strings.Builder
	content := strings.Repeat("x", 8<<10)
	for i := range n {
		if i%40 == 0 {
			fmt.Fprintf(&text, "d usr/lib/d%d 0755\n", i/40)
		}
		fmt.Fprintf(&text, "f usr/lib/d%d/f%d 0644 %s\n", i/40, i, content[:i%len(content)])
	}
	return archive(t, text.String())
}

func BenchmarkApply(b *testing.B) {
	a := many(b, 10_000)
	b.SetBytes(int64(len(a)))
	b.Run("store", func(b *testing.B) {
		s := open(b, "overlay")
		for i := range b.N {
			_, err := s.Apply(id(i), "", bytes.NewReader(a))
			require.NoError(b, err)
		}
	})
	b.Run("tar", func(b *testing.B) {
		for range b.N {
			cmd := exec.Command("tar", "-C", b.TempDir(), "-xp")
			cmd.Stdin = bytes.NewReader(a)
			require.NoError(b, cmd.Run())
		}
	})
}

func BenchmarkFork(b *testing.B) {
	s := open(b, "overlay")
	top := deep(b, s, 10)
	for i := range b.N {
		require.NoError(b, s.Fork(fmt.Sprint("box", i), top))
	}
}

func BenchmarkMount(b *testing.B) {
	s := open(b, "overlay")
	require.NoError(b, s.Fork("box", deep(b, s, 10)))
	m, err := s.Mount("box", b.TempDir())
	require.NoError(b, err)
	for range b.N {
		require.NoError(b, m.Do())
		require.NoError(b, m.Undo())
	}
}
