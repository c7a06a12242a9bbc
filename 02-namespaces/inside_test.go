package namespaces_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
	"cutaway/chapters/lab"
)

func TestMaskHidesFilesAndDirectories(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/proc/secret", "secret")
	write(t, root+"/proc/dir/secret", "secret")
	var text []byte
	var entries []os.DirEntry
	var written error
	err := inMounts(func() (err error) {
		if err = do(
			namespaces.Mask{Root: root, Path: "/proc/secret"},
			namespaces.Mask{Root: root, Path: "/proc/dir"},
			namespaces.Mask{Root: root, Path: "/proc/none"},
			namespaces.Mask{Root: root, Path: "/proc/secret/none"},
		); err != nil {
			return err
		}
		if text, err = os.ReadFile(root + "/proc/secret"); err != nil {
			return err
		}
		if entries, err = os.ReadDir(root + "/proc/dir"); err != nil {
			return err
		}
		written = tryWrite(root + "/proc/dir/file")
		return nil
	})
	require.NoError(t, err)
	require.Empty(t, text)
	require.Empty(t, entries)
	require.ErrorIs(t, written, unix.EROFS)
}

func TestMaskUsesOnlyTheRealNullDevice(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/secret", "secret")
	write(t, root+"/fake", "not null")
	err := inMounts(func() error {
		if err := unix.Mount(root+"/fake", "/dev/null", "", unix.MS_BIND, ""); err != nil {
			return err
		}
		return namespaces.Mask{Root: root, Path: "/secret"}.Do()
	})
	require.ErrorContains(t, err, "/dev/null is not the null device")
}

func TestReadOnlyPathsCanBeReadAndNotWritten(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/sys/file", "text")
	var text []byte
	var dir, file error
	err := inMounts(func() (err error) {
		if err = do(
			namespaces.ReadOnly{Root: root, Path: "/sys"},
			namespaces.ReadOnly{Root: root, Path: "/none"},
		); err != nil {
			return err
		}
		text, err = os.ReadFile(root + "/sys/file")
		dir = tryWrite(root + "/sys/new")
		file = tryWrite(root + "/sys/file")
		return err
	})
	require.NoError(t, err)
	require.Equal(t, "text", string(text))
	require.ErrorIs(t, dir, unix.EROFS)
	require.ErrorIs(t, file, unix.EROFS)
	require.NoError(t, tryWrite(root+"/sys/new"), "only in the other mount namespace")
}

var null = namespaces.Device{Path: "/dev/null", Type: "c", Major: 1, Minor: 3, Mode: 0o666}

func TestDeviceIsMadeWithItsModeAndOwner(t *testing.T) {
	lab.NeedRoot(t)
	d := null
	d.Root, d.UID, d.GID = t.TempDir(), 5, 6
	require.NoError(t, d.Do())
	require.NoError(t, d.Do(), "a second time it is there already")
	var st unix.Stat_t
	require.NoError(t, unix.Stat(d.Root+"/dev/null", &st))
	require.Equal(t, uint32(unix.S_IFCHR|0o666), st.Mode, "whatever the umask")
	require.Equal(t, unix.Mkdev(1, 3), st.Rdev)
	require.Equal(t, []uint32{5, 6}, []uint32{st.Uid, st.Gid})

	d.Minor = 5
	require.ErrorContains(t, d.Do(), "not the device c 1:5")
	require.Equal(t, "mknod /r/dev/sda b 8 0 && chown 0:6 /r/dev/sda && chmod 0660 /r/dev/sda",
		namespaces.Device{Root: "/r", Path: "/dev/sda", Type: "b", Major: 8, GID: 6, Mode: 0o660}.String())
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
	cmd := child("device", root)
	cmd.SysProcAttr = namespaces.Clone{
		New: []namespaces.Kind{namespaces.User, namespaces.Mnt}, UIDMap: ownMap(), GIDMap: ownMap(),
	}.Attr()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	text, err := os.ReadFile(root + "/dev/null")
	require.NoError(t, err)
	require.Empty(t, text, "it was written to the device, and not to the mount point")
}

func TestSymlinkIsMadeOnce(t *testing.T) {
	root := t.TempDir()
	s := namespaces.Symlink{Root: root, Target: "/proc/self/fd", Path: "/dev/fd"}
	require.NoError(t, s.Do())
	require.NoError(t, s.Do())
	link, err := os.Readlink(filepath.Join(root, "dev/fd"))
	require.NoError(t, err)
	require.Equal(t, "/proc/self/fd", link)
	s.Target = "elsewhere"
	require.ErrorIs(t, s.Do(), os.ErrExist)
	require.Equal(t, "ln -s elsewhere "+root+"/dev/fd", s.String())
}

func TestSysctlIsSetInItsNamespaceOnly(t *testing.T) {
	const key = "net.ipv4.ip_default_ttl"
	err := namespaces.OnThread(func() error {
		return do(
			namespaces.Unshare{New: []namespaces.Kind{namespaces.Net, namespaces.IPC}},
			namespaces.Sysctl{Key: "net/ipv4/ip_default_ttl", Value: "65"},
			namespaces.Sysctl{Key: "kernel.sem", Value: "250 32000 32 200"},
		)
	})
	require.NoError(t, err)
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_default_ttl")
	require.NoError(t, err)
	require.Equal(t, "64\n", string(text))
	require.Equal(t, "sysctl -w 'net.ipv4.ip_default_ttl=6 5'", namespaces.Sysctl{Key: key, Value: "6 5"}.String())
}

func TestSysctlRefusesWhatTheKernelRefuses(t *testing.T) {
	require.ErrorIs(t, namespaces.Sysctl{Key: "net.ipv4.no_such_key", Value: "1"}.Do(), os.ErrNotExist)
	require.ErrorIs(t, namespaces.Sysctl{Key: "net.ipv4.ip_default_ttl", Value: "1000"}.Do(), unix.EINVAL)
	require.ErrorContains(t, namespaces.Sysctl{Key: "net/../../self/comm", Value: "x"}.Do(), "escapes")
}

func TestSysctlWritesToProcfsOnly(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/net/ipv4/ip_default_ttl", "64")
	err := inMounts(func() error {
		if err := unix.Mount(dir, "/proc/sys", "", unix.MS_BIND, ""); err != nil {
			return err
		}
		return namespaces.Sysctl{Key: "net.ipv4.ip_default_ttl", Value: "65"}.Do()
	})
	require.ErrorIs(t, err, unix.EXDEV)
}
