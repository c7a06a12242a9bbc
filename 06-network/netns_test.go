package network

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestNamespaceIsNewAndStays(t *testing.T) {
	newHost(t)
	dir := t.TempDir()
	a, b := Namespace{filepath.Join(dir, "deep", "a")}, Namespace{filepath.Join(dir, "b")}
	do(t, []Step{a, b})
	require.NotEqual(t, inode(t, a.Path), inode(t, b.Path))
	require.NotEqual(t, inode(t, a.Path), inode(t, "/proc/thread-self/ns/net"))
	require.ErrorIs(t, a.Do(), os.ErrExist)
	require.NotEmpty(t, inode(t, a.Path), "the failed second Do left the first one's namespace alone")
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	require.NoError(t, unix.Stat(path, &st))
	return st.Ino
}

func TestUndoOfHalfANamespaceRemovesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "net")
	require.NoError(t, os.WriteFile(path, nil, 0))
	require.NoError(t, Namespace{path}.Undo())
	require.NoFileExists(t, path)
	require.NoError(t, Namespace{path}.Undo())
}

// TestNoThreadStaysInAForeignNamespace makes and enters many namespaces at the
// same time. The threads that did it must be gone, and the process's first
// thread, which cannot end, must not have been one of them.
func TestNoThreadStaysInAForeignNamespace(t *testing.T) {
	own := inode(t, "/proc/self/ns/net")
	dir := t.TempDir()
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			ns := Namespace{filepath.Join(dir, fmt.Sprint(i))}
			if err := ns.Do(); err != nil {
				t.Error(err)
				return
			}
			if err := (Up{NetNS: ns.Path, Link: "lo"}).Do(); err != nil {
				t.Error(err)
			}
			if err := ns.Undo(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.Equal(t, own, inode(t, "/proc/self/ns/net"))
	require.Eventually(t, func() bool { // threads take a moment to end
		tasks, err := filepath.Glob("/proc/self/task/*/ns/net")
		require.NoError(t, err)
		for _, task := range tasks {
			var st unix.Stat_t
			if unix.Stat(task, &st) == nil && st.Ino != own {
				return false
			}
		}
		return true
	}, patience, moment/10)
}

func TestErrorInsideIsReturned(t *testing.T) {
	require.ErrorIs(t, Inside(filepath.Join(t.TempDir(), "none"), func() error { return nil }), os.ErrNotExist)
	require.ErrorIs(t, Inside("/proc/self/ns/net", func() error { return unix.EBADMSG }), unix.EBADMSG)
	require.ErrorIs(t, Inside("/proc/self/ns/uts", func() error { return nil }), unix.EINVAL)
}
