package chroot_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	chroot "cutaway/01-chroot"
)

// readIn reads a file with OpenIn.
func readIn(root, name string) (string, error) {
	f, err := chroot.OpenIn(root, name, unix.OpenHow{Flags: unix.O_RDONLY})
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	return string(text), err
}

// Every row reads "outside" when it is opened by joining names. %s is the
// directory above the root.
var hostile = map[string]struct{ link, open string }{
	"dots":                  {"", "../name"},
	"absolute link":         {"%s/name", "link"},
	"relative link":         {"../name", "link"},
	"link in the middle":    {"..", "link/name"},
	"absolute dir link":     {"%s", "link/name"},
	"dots after a link":     {"etc", "link/../../name"},
	"link through etc":      {"etc/../../name", "link"},
	"link to self, outside": {"../jail/../name", "link"},
}

func TestOpenInStaysInsideWhereJoinedNamesLeadOut(t *testing.T) {
	for what, row := range hostile {
		t.Run(what, func(t *testing.T) {
			root := jail(t)
			if row.link != "" {
				link := strings.ReplaceAll(row.link, "%s", filepath.Dir(root))
				require.NoError(t, os.Symlink(link, filepath.Join(root, "link")))
			}
			got, err := os.ReadFile(root + "/" + row.open)
			require.NoError(t, err, "the row is hostile")
			require.Equal(t, "outside", string(got), "the row is hostile")

			_, err = readIn(root, row.open)
			require.ErrorIs(t, err, os.ErrNotExist)
			var path *os.PathError
			require.ErrorAs(t, err, &path)
			require.Equal(t, "openat2", path.Op)
		})
	}
}

func TestOpenInFollowsLinksAsAJailedProcessWould(t *testing.T) {
	root := jail(t)
	require.NoError(t, os.Symlink("/etc/name", filepath.Join(root, "absolute")))
	require.NoError(t, os.Symlink("../../../etc/name", filepath.Join(root, "dots")))
	for _, name := range []string{"etc/name", "/etc/name", "absolute", "dots", "/../etc/name"} {
		got, err := readIn(root, name)
		require.NoError(t, err, name)
		require.Equal(t, "inside", got, name)
	}
}

func TestOpenInCreatesWithModeAndClosesOnExec(t *testing.T) {
	root := jail(t)
	f, err := chroot.OpenIn(root, "/etc/new", unix.OpenHow{Flags: unix.O_CREAT | unix.O_WRONLY, Mode: 0o600})
	require.NoError(t, err)
	defer f.Close()
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
	require.NoError(t, err)
	require.NotZero(t, flags&unix.FD_CLOEXEC)
	info, err := os.Stat(filepath.Join(root, "etc/new"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
}

// checkThenOpen is how engines opened files once: look where the name leads,
// and open it if that is inside. between is what happens in the meantime.
func checkThenOpen(root, name string, between func()) ([]byte, error) {
	path, err := filepath.EvalSymlinks(filepath.Join(root, name))
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(path, root+"/") {
		return nil, os.ErrPermission
	}
	between()
	return os.ReadFile(path)
}

// swapper returns a function that exchanges root/dir, in one instant, with a
// link that leads out.
func swapper(t *testing.T, root string) func() {
	t.Helper()
	require.NoError(t, os.Symlink("..", filepath.Join(root, "evil")))
	dir, err := os.Open(root)
	require.NoError(t, err)
	t.Cleanup(func() { dir.Close() })
	return func() {
		_ = unix.Renameat2(int(dir.Fd()), "etc", int(dir.Fd()), "evil", unix.RENAME_EXCHANGE)
	}
}

func TestCheckingFirstLosesTheRace(t *testing.T) {
	root := jail(t)
	swap := swapper(t, root)
	got, err := checkThenOpen(root, "etc/name", swap)
	require.NoError(t, err)
	require.Equal(t, "outside", string(got))
	swap()
	got, err = checkThenOpen(root, "etc/name", func() {})
	require.NoError(t, err)
	require.Equal(t, "inside", string(got))
}

func TestTheKernelAndOSRootWinTheRace(t *testing.T) {
	root := jail(t)
	swap := swapper(t, root)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				swap()
			}
		}
	}()
	defer func() { close(stop); <-stopped }()

	dir, err := os.OpenRoot(root)
	require.NoError(t, err)
	defer dir.Close()
	seen := map[string]int{}
	for range 5000 {
		for _, read := range []func() (string, error){
			func() (string, error) { return readIn(root, "etc/name") },
			func() (string, error) { b, err := dir.ReadFile("etc/name"); return string(b), err },
		} {
			if got, err := read(); err == nil {
				seen[got]++
			}
		}
	}
	require.NotZero(t, seen["inside"], "the directory is the good one half of the time")
	require.Zero(t, seen["outside"])
}
