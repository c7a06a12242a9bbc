package unionfs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"cutaway/chapters/lab"
)

// deep makes an image of n layers; each adds a file, and removes the one of the layer before.
func deep(t testing.TB, s *Store, n int) string {
	t.Helper()
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf("w f%d\nf f%d 0644 %d", i-1, i, i)
	}
	return stack(t, s, archives(t, texts)...)
}

func TestOverlayTakes127Layers(t *testing.T) {
	s := open(t, "overlay")
	require.NoError(t, s.Fork("box", deep(t, s, 127)))
	dir := mounted(t, s, "box")
	require.Equal(t, "d . 0755\nf f126 0644 126\n", tree(t, dir))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "new"), nil, 0o600))
}

// The calls that older kernels need must do the same; and both must do what the command does.
func TestOverlayMountsInThreeWays(t *testing.T) {
	s := open(t, "overlay")
	require.NoError(t, s.Fork("box", deep(t, s, 127)))
	require.NoError(t, s.Fork("flat", ""))
	want := "d . 0755\nf f126 0644 126\n"
	for _, layer := range []string{"box", id(126)} {
		m, err := s.Mount(layer, filepath.Join(t.TempDir(), "it's a target"))
		require.NoError(t, err)
		require.NoError(t, os.Mkdir(m.Target, 0o755))
		ways := map[string]func() error{
			"mount(2)":          m.legacy,
			"the shell command": func() error { run(t, "bash", "-euc", m.String()); return nil },
		}
		if oneByOne() {
			ways["one call for each layer"] = m.configure
		} else {
			t.Log("this kernel does not know lowerdir+")
		}
		for name, way := range ways {
			require.NoError(t, way(), name)
			require.NoError(t, m.verify(), name)
			require.Equal(t, want, tree(t, m.Target), name)
			require.NoError(t, m.Undo(), name)
		}
	}
}

// A volatile layer keeps what was written to it from one mount to the next, as long as the machine lives. Its mark
// is what the kernel itself refuses: the second mount shows that it was removed.
func TestOverlayThatIsVolatileMountsAgain(t *testing.T) {
	s := open(t, "overlay")
	require.NoError(t, s.Fork("box", deep(t, s, 2)))
	kept, err := s.Mount("box", t.TempDir())
	require.NoError(t, err)
	m := kept.Volatile()
	for i := range 2 {
		require.NoError(t, m.Do())
		mountinfo, err := os.ReadFile("/proc/self/mountinfo")
		require.NoError(t, err)
		require.Regexp(t, regexp.QuoteMeta(m.Target)+` .*[ ,=]volatile\b`, string(mountinfo))
		require.NoError(t, os.WriteFile(filepath.Join(m.Target, fmt.Sprint("run", i)), nil, 0o600))
		require.NoError(t, m.Undo())
	}
	require.ErrorIs(t, kept.Do(), unix.EINVAL, "what may be incomplete is not taken for whole")
	require.NoError(t, m.Do())
	require.FileExists(t, filepath.Join(m.Target, "run0"))
	require.NoError(t, m.Undo())
}

func TestOverlayInADeepDirectory(t *testing.T) {
	dir := t.TempDir()
	for range 4 {
		dir = filepath.Join(dir, strings.Repeat("long, ", 16)+`:\`)
		require.NoError(t, os.Mkdir(dir, 0o755))
	}
	s, err := Open(dir, "overlay")
	require.NoError(t, err)
	require.NoError(t, s.Fork("box", deep(t, s, 20)))
	require.Equal(t, "d . 0755\nf f19 0644 19\n", tree(t, mounted(t, s, "box")))
}

func TestMountIsUndone(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		require.NoError(t, s.Fork("box", stack(t, s, archive(t, base), archive(t, "f x 0644"))))
		m, err := s.Mount("box", t.TempDir())
		require.NoError(t, err)
		require.NoError(t, m.Undo(), "never done")
		require.NoError(t, m.Do())
		f, err := os.Open(filepath.Join(m.Target, "etc/hosts"))
		require.NoError(t, err)
		require.NoError(t, m.Undo(), "busy")
		require.Equal(t, "d . 0755\n", tree(t, m.Target))
		_, err = f.Stat()
		require.NoError(t, err, "who has a file open keeps it")
		require.NoError(t, f.Close())
		require.NoError(t, m.Undo(), "done before")
		require.NoError(t, os.Remove(m.Target))
		require.NoError(t, m.Undo(), "target is gone")
		err = m.Do()
		require.ErrorContains(t, err, m.Target)
		if m.Type != "fuse-overlayfs" {
			require.ErrorIs(t, err, unix.ENOENT)
		}
	})
}

func TestAnImageIsReadOnly(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		for _, layer := range []string{stack(t, s, archive(t, base)), stack(t, s, archive(t, base), archive(t, "f x 0644"))} {
			dir := mounted(t, s, layer)
			require.ErrorIs(t, os.WriteFile(filepath.Join(dir, "etc/hosts"), nil, 0o644), unix.EROFS)
			require.ErrorIs(t, os.Mkdir(filepath.Join(dir, "new"), 0o755), unix.EROFS)
		}
	})
}

// A wrong mount is an error that says what the kernel said.
func TestOverlayExplainsItsErrors(t *testing.T) {
	s := open(t, "overlay")
	require.NoError(t, s.Fork("box", stack(t, s, archive(t, base))))
	m, err := s.Mount("box", t.TempDir())
	require.NoError(t, err)
	m.Upper = "nowhere"
	err = m.Do()
	require.ErrorIs(t, err, unix.ENOENT)
	require.ErrorContains(t, err, "mount overlay on")
	lab.NeedKernel(t, "6.8", "overlay's messages to the caller")
	require.ErrorContains(t, err, "upperdir="+filepath.Join(s.dir, "nowhere"))
}

func TestOpenPicksADriverThatWorks(t *testing.T) {
	lower := open(t, "overlay")
	require.NoError(t, lower.Fork("box", stack(t, lower, archive(t, base), archive(t, "f x 0644"))))
	onOverlay := mounted(t, lower, "box")

	_, err := Open(onOverlay, "overlay")
	require.ErrorContains(t, err, "overlay does not work here: ")
	var errno unix.Errno // EINVAL of mount(2); before Linux 6.7 already the attribute of an opaque directory is refused
	require.ErrorAs(t, err, &errno)
	require.Contains(t, []unix.Errno{unix.EINVAL, unix.EOPNOTSUPP}, errno)
	_, err = Open(onOverlay, "aufs")
	require.EqualError(t, err, `no storage driver is called "aufs": there are overlay, fuse-overlayfs, btrfs, vfs, devicemapper`)

	s, err := Open(onOverlay, "")
	require.NoError(t, err)
	require.NotEqual(t, "overlay", s.Driver())
	require.Contains(t, s.Reason(), "overlay does not work here: ")
	require.Equal(t, lines(stacks[0].want), tree(t, mounted(t, s, stack(t, s, archives(t, stacks[0].layers)...))))

	best, err := Open(t.TempDir(), "")
	require.NoError(t, err)
	require.Equal(t, "overlay", best.Driver())
	require.Equal(t, "it is the best that works here", best.Reason())
}
