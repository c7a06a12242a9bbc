package volume

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// write makes a file with everything above it.
func write(t *testing.T, name, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte(content), 0o644))
}

func TestANewVolumeIsFilledFromTheImage(t *testing.T) {
	root, to := t.TempDir(), t.TempDir()
	write(t, root+"/data/sub/file", "shipped")
	require.NoError(t, os.Chmod(root+"/data/sub/file", 0o640))
	require.NoError(t, unix.Chmod(root+"/data/sub", 0o2750))
	require.NoError(t, os.Symlink("../elsewhere", root+"/data/link"))
	old := time.Unix(1000000000, 0)
	require.NoError(t, os.Chtimes(root+"/data/sub/file", old, old))

	require.NoError(t, Fill{Root: root, From: "/data", To: to}.Do())
	var st unix.Stat_t
	require.NoError(t, unix.Stat(to+"/sub/file", &st))
	require.EqualValues(t, 0o640, st.Mode&0o7777)
	require.EqualValues(t, 1000000000, st.Mtim.Sec)
	require.NoError(t, unix.Stat(to+"/sub", &st))
	require.EqualValues(t, 0o2750, st.Mode&0o7777)
	target, err := os.Readlink(to + "/link")
	require.NoError(t, err)
	require.Equal(t, "../elsewhere", target)
}

func TestAVolumeThatHoldsSomethingIsLeftAlone(t *testing.T) {
	root, to := t.TempDir(), t.TempDir()
	write(t, root+"/data/new", "image")
	write(t, to+"/mine", "kept")
	require.NoError(t, Fill{Root: root, From: "/data", To: to}.Do())
	require.NoFileExists(t, to+"/new")
	require.FileExists(t, to+"/mine")
}

func TestAnImageWithNothingThereFillsNothing(t *testing.T) {
	root, to := t.TempDir(), t.TempDir()
	write(t, root+"/file", "")
	for _, from := range []string{"/absent", "/file", "/file/below"} {
		require.NoError(t, Fill{Root: root, From: from, To: to}.Do(), from)
	}
}

func TestALinkInTheImageIsFollowedInsideIt(t *testing.T) {
	root, to := t.TempDir(), t.TempDir()
	write(t, root+"/run/lock/file", "there")
	require.NoError(t, os.MkdirAll(root+"/var", 0o755))
	require.NoError(t, os.Symlink("/run/lock", root+"/var/lock"))
	require.NoError(t, Fill{Root: root, From: "/var/lock", To: to}.Do())
	require.FileExists(t, to+"/file")
}

func TestASymbolicLinkDoesNotLeadOutOfTheImage(t *testing.T) {
	secret, root, to := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, secret+"/key", "the host's")
	require.NoError(t, os.Symlink(secret, root+"/data"))
	// Without the protection it would be copied.
	require.FileExists(t, root+"/data/key")
	require.NoError(t, Fill{Root: root, From: "/data", To: to}.Do())
	require.NoFileExists(t, to+"/key")
}

func TestAFileKeepsItsInodeSoThatAMountSeesTheChange(t *testing.T) {
	name := filepath.Join(t.TempDir(), "hosts")
	require.NoError(t, File{Path: name, Content: "one\n"}.Do())
	before, err := os.Stat(name)
	require.NoError(t, err)
	require.NoError(t, File{Path: name, Content: "two\n"}.Do())
	after, err := os.Stat(name)
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after))
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "two\n", string(content))
}

func TestAStoreKeepsVolumesByTheirNames(t *testing.T) {
	s, err := OpenStore(filepath.Join(t.TempDir(), "volumes"))
	require.NoError(t, err)
	dir, err := s.Path("db-1")
	require.NoError(t, err)
	require.False(t, s.Has("db-1"))
	require.NoError(t, Directory{Path: dir}.Do())
	require.True(t, s.Has("db-1"))
	require.NoError(t, s.Remove("db-1"))
	require.NoError(t, s.Remove("db-1"), "gone is fine")
	require.False(t, s.Has("db-1"))
	for _, bad := range []string{"", "a", "../up", "a/b", ".hidden", strings.Repeat("x", 3) + "\n"} {
		_, err := s.Path(bad)
		require.ErrorIs(t, err, ErrName, bad)
		require.ErrorIs(t, s.Remove(bad), ErrName, bad)
	}
	require.Len(t, Anonymous(), 64)
}
