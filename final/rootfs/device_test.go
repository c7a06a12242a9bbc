package rootfs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"cutaway/chapters/lab"
)

var null = Device{Path: "/dev/null", Major: 1, Minor: 3, Mode: 0o666}

func TestDeviceIsMadeWithItsMode(t *testing.T) {
	lab.NeedRoot(t)
	d := null
	d.Root = t.TempDir()
	require.NoError(t, d.Do())
	require.NoError(t, d.Do(), "a second time it is there already")
	var st unix.Stat_t
	require.NoError(t, unix.Stat(d.Root+"/dev/null", &st))
	require.Equal(t, uint32(unix.S_IFCHR|0o666), st.Mode, "whatever the umask")
	require.Equal(t, unix.Mkdev(1, 3), st.Rdev)

	d.Minor = 5
	require.ErrorContains(t, d.Do(), "not the device c 1:5")
	require.Equal(t, "mknod /r/dev/tty c 5 0 && chmod 0660 /r/dev/tty",
		Device{Root: "/r", Path: "/dev/tty", Major: 5, Mode: 0o660}.String())
}

// deviceChild is in a user namespace, where mknod is refused.
func deviceChild(args []string) error {
	d := null
	d.Root = args[0]
	if err := d.Do(); err != nil {
		return err
	}
	return os.WriteFile(d.Root+"/dev/null", []byte("gone"), 0)
}

func TestDeviceIsBoundWhereItCannotBeMade(t *testing.T) {
	root := t.TempDir()
	out, err := child("device", root).CombinedOutput()
	require.NoError(t, err, "%s", out)
	text, err := os.ReadFile(root + "/dev/null")
	require.NoError(t, err)
	require.Empty(t, text, "it was written to the device, and not to the mount point")
}

func TestSymlinkIsMadeOnce(t *testing.T) {
	root := t.TempDir()
	s := Symlink{Root: root, Target: "/proc/self/fd", Path: "/dev/fd"}
	require.NoError(t, s.Do())
	require.NoError(t, s.Do())
	link, err := os.Readlink(filepath.Join(root, "dev/fd"))
	require.NoError(t, err)
	require.Equal(t, "/proc/self/fd", link)
	s.Target = "elsewhere"
	require.ErrorIs(t, s.Do(), os.ErrExist)
	require.Equal(t, "ln -s elsewhere "+root+"/dev/fd", s.String())
}
