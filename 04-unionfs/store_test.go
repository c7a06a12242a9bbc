package unionfs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestStoreTellsWhatItHas(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		require.False(t, s.Has(id(0)))
		size, err := s.Apply(id(0), "", bytes.NewReader(archive(t, "f a 0644 12345\nh b a\nf c 0644 678")))
		require.NoError(t, err)
		require.Equal(t, int64(8), size)
		size, err = s.Apply(id(0), "", bytes.NewReader(archive(t, "f other 0644 1")))
		require.NoError(t, err)
		require.Equal(t, int64(8), size, "the layer that was there")
		require.NoError(t, s.Fork("box", id(0)))
		require.True(t, s.Has(id(0)))
		ids, err := s.List()
		require.NoError(t, err)
		require.Equal(t, []string{"box", id(0)}, ids)

		require.ErrorIs(t, s.Fork("box", id(0)), ErrExists)
		require.ErrorIs(t, s.Fork("other", id(9)), ErrNotFound)
		require.ErrorContains(t, s.Fork("other", "box"), "writable")
		require.ErrorIs(t, s.Remove(id(0)), ErrInUse)
		for _, bad := range []string{"", ".", "..", "../x", "a/b", "a\nb", "sha256:", "-"} {
			require.ErrorIs(t, s.Fork(bad, id(0)), ErrName, bad)
			_, err = s.Mount(bad, "/")
			require.ErrorIs(t, err, ErrName, bad)
		}

		again, err := Open(filepath.Dir(s.dir), "")
		require.NoError(t, err)
		defer again.Close()
		require.Equal(t, s.Driver(), again.Driver(), "layers stay with their driver")
		require.Equal(t, "it made the layers that are here", again.Reason())
		removeAllLayers(t, again)
		require.ErrorIs(t, s.Remove(id(0)), ErrNotFound)
	})
}

func TestAnErrorLeavesNoLayer(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		for name, stream := range brokenStreams(t) {
			_, err := s.Apply(id(1), "", stream)
			require.Error(t, err, name)
			require.False(t, s.Has(id(1)), name)
			requireClean(t, s)
		}
	})
}

func brokenStreams(t testing.TB) map[string]io.Reader {
	t.Helper()
	whole := archive(t, base)
	broken := errors.New("digest does not match")
	return map[string]io.Reader{
		"truncated in a file":      bytes.NewReader(archive(t, "f a 0644 hello")[:514]),
		"truncated in a header":    bytes.NewReader(whole[:700]),
		"not a tar":                bytes.NewReader(bytes.Repeat([]byte("tar"), 1000)),
		"an error in the middle":   io.MultiReader(bytes.NewReader(whole[:1024]), iotest.ErrReader(broken)),
		"an error instead of EOF":  io.MultiReader(bytes.NewReader(whole), iotest.ErrReader(broken)),
		"a bad checksum":           bytes.NewReader(append(append([]byte{}, whole[:512]...), bytes.Repeat([]byte{'x'}, 512)...)),
		"a name that is too long":  bytes.NewReader(archive(t, "f "+string(bytes.Repeat([]byte("n"), 300))+" 0644")),
		"an entry that leads out":  bytes.NewReader(archive(t, "f ok 0644\nf ../out 0644")),
		"a link to nothing":        bytes.NewReader(archive(t, "h a b")),
		"a whiteout of the parent": bytes.NewReader(archive(t, "f d/.wh... 0644")),
	}
}

func TestAFullDiskLeavesNoLayer(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, unix.Mount("small", dir, "tmpfs", 0, "size=2m"))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
	s, err := Open(dir, "")
	require.NoError(t, err)
	_, err = s.Apply(id(0), "", bytes.NewReader(archive(t, "f small 0644 1")))
	require.NoError(t, err)
	content := string(bytes.Repeat([]byte("x"), 1<<20))
	_, err = s.Apply(id(1), id(0), bytes.NewReader(archive(t, "f a 0644 "+content+"\nf b 0644 "+content)))
	require.ErrorIs(t, err, unix.ENOSPC)
	require.False(t, s.Has(id(1)))
	requireClean(t, s)
	_, err = s.Apply(id(1), id(0), bytes.NewReader(archive(t, "f a 0644 "+content)))
	require.NoError(t, err, "the space is there again")
}

func TestTheSameLayerManyTimesAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		whole := archive(t, base)
		var wg sync.WaitGroup
		errs := make([]error, 16)
		for i := range errs {
			wg.Go(func() { _, errs[i] = s.Apply(id(0), "", bytes.NewReader(whole)) })
		}
		wg.Wait()
		require.NoError(t, errors.Join(errs...))
		requireClean(t, s)
		require.Contains(t, tree(t, mounted(t, s, id(0))), "f etc/motd 0644 hello\n")

		for i := range errs {
			wg.Go(func() { errs[i] = s.Fork(fmt.Sprint("box", i%4), id(0)) })
		}
		wg.Wait()
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
			} else {
				require.ErrorIs(t, err, ErrExists)
			}
		}
		require.Equal(t, 4, made)
		requireClean(t, s)
	})
}

// A layer must not come to stand on one that is being removed.
func TestRemoveAndApplyAtOnce(t *testing.T) {
	s := open(t, "overlay")
	for i := range 40 {
		parent, child := fmt.Sprint("parent", i), fmt.Sprint("child", i)
		_, err := s.Apply(parent, "", bytes.NewReader(archive(t, "f a 0644 1")))
		require.NoError(t, err)
		var wg sync.WaitGroup
		var removed, applied error
		wg.Go(func() { removed = s.Remove(parent) })
		wg.Go(func() { _, applied = s.Apply(child, parent, bytes.NewReader(archive(t, "f b 0644 2"))) })
		wg.Wait()
		require.Equal(t, removed == nil, applied != nil, "remove: %v; apply: %v", removed, applied)
		if removed != nil {
			require.ErrorIs(t, removed, ErrInUse)
			require.Equal(t, "d . 0755\nf a 0644 1\nf b 0644 2\n", tree(t, mounted(t, s, child)))
		}
		requireClean(t, s)
	}
}

// TestMain's process cannot be killed, so a copy of it is: TestHelperApply in another process, in the middle of a layer.
func TestACrashLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		stack(t, s, archive(t, base))
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestHelperApply$")
		cmd.Env = append(os.Environ(), "UNIONFS_DIR="+filepath.Dir(s.dir), "UNIONFS_DRIVER="+s.Driver())
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
		_, err = in.Write(archive(t, "f half 0644 1\nf made 0644 2")[:1024+512])
		require.NoError(t, err)
		said, err := bufio.NewReader(out).ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "half made\n", said)

		busy, err := Open(filepath.Dir(s.dir), s.Driver())
		require.NoError(t, err)
		defer busy.Close()
		drafts, err := os.ReadDir(busy.path("tmp"))
		require.NoError(t, err)
		require.Len(t, drafts, 1, "a layer that is being made is left alone")

		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		require.False(t, s.Has(id(1)))
		require.NoError(t, os.Symlink("../layers/lost/diff", s.path("l", "LOSTLINK")))
		require.NoError(t, os.MkdirAll(s.path("layers", "empty", "diff"), 0o755))
		after, err := Open(filepath.Dir(s.dir), s.Driver())
		require.NoError(t, err)
		defer after.Close()
		ids, err := after.List()
		require.NoError(t, err)
		require.Equal(t, []string{id(0)}, ids)
		requireClean(t, after)
		stack(t, after, archive(t, base), archive(t, "f whole 0644"))
	})
}

// TestHelperApply is not a test: it applies a layer from standard input until it is killed.
func TestHelperApply(t *testing.T) {
	dir := os.Getenv("UNIONFS_DIR")
	if dir == "" {
		return
	}
	s, err := Open(dir, os.Getenv("UNIONFS_DRIVER"))
	require.NoError(t, err)
	_, _ = s.Apply(id(1), id(0), io.MultiReader(io.LimitReader(os.Stdin, 1024+512), told{}))
}

// told tells the parent that everything before it was read, and waits for what never comes.
type told struct{}

func (told) Read(b []byte) (int, error) {
	fmt.Println("half made")
	return os.Stdin.Read(b)
}
