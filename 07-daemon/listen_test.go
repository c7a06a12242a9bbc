package daemon

import (
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func listenOn(t *testing.T, host string) net.Listener {
	t.Helper()
	l, err := Listen(host, ListenOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// leaveStale makes what a killed daemon leaves: a socket file without a listener.
func leaveStale(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	l.SetUnlinkOnClose(false)
	require.NoError(t, l.Close())
	require.FileExists(t, path)
}

func TestASocketIsForItsOwnerAndGroup(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o777} {
		path := filepath.Join(t.TempDir(), "s")
		before := unix.Umask(umask)
		l, err := Listen("unix://"+path, ListenOptions{})
		unix.Umask(before)
		require.NoError(t, err)
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o660), info.Mode().Perm(), "umask %o", umask)
		require.NoError(t, l.Close())
		require.NoFileExists(t, path)
	}
}

func TestAStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	leaveStale(t, path)
	listenOn(t, "unix://"+path)
	conn, err := net.Dial("unix", path)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

func TestALiveSocketIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listenOn(t, "unix://"+path)
	_, err := Listen("unix://"+path, ListenOptions{})
	require.ErrorContains(t, err, "another daemon is listening there")
	require.FileExists(t, path)
}

// A daemon is killed while it starts a process, which has its descriptors until execve.
func TestASocketOfADaemonThatWasJustKilledIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	old.SetUnlinkOnClose(false)
	inherited, err := old.File()
	require.NoError(t, err)
	require.NoError(t, old.Close())
	time.AfterFunc(50*time.Millisecond, func() { _ = inherited.Close() })
	listenOn(t, "unix://"+path)
}

func TestAFileInTheWayIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	require.NoError(t, os.WriteFile(path, []byte("precious"), 0o600))
	_, err := Listen("unix://"+path, ListenOptions{})
	require.ErrorContains(t, err, "not a socket")
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "precious", string(kept))
}

func TestOfManyDaemonsThatBeginAtOnceOneListens(t *testing.T) {
	for range 8 {
		path := filepath.Join(t.TempDir(), "s")
		leaveStale(t, path)
		var won atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if l, err := Listen("unix://"+path, ListenOptions{}); err == nil {
					won.Add(1)
					t.Cleanup(func() { l.Close() })
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 1, won.Load())
	}
}

func TestTCPIsForThisHostUnlessAllowed(t *testing.T) {
	for _, host := range []string{"tcp://0.0.0.0:0", "tcp://:0", "tcp://[::]:0", "tcp://192.0.2.1:2375", "tcp://192.0.2.1"} {
		_, err := Listen(host, ListenOptions{})
		require.ErrorContains(t, err, "is root on this host", host)
	}
	require.True(t, listenOn(t, "tcp://127.0.0.1:0").Addr().(*net.TCPAddr).IP.IsLoopback())
	l, err := Listen("tcp://0.0.0.0:0", ListenOptions{AllowRemote: true})
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

func TestTCPHasADefaultPort(t *testing.T) {
	require.Equal(t, 2375, listenOn(t, "tcp://127.0.0.1").Addr().(*net.TCPAddr).Port)
}

func TestOtherAddressesAreRefused(t *testing.T) {
	for _, host := range []string{"", "unix://", "unix://relative", "fd://", "http://127.0.0.1:1", "/run/x.sock", "tcp://127.0.0.1:x"} {
		_, err := Listen(host, ListenOptions{})
		require.ErrorContains(t, err, "listen on", host)
	}
	long := filepath.Join(t.TempDir(), string(make([]byte, 0)), "a-very-long-name-a-very-long-name-a-very-long-name-a-very-long-name-a-very-long-name-a-very-long-name")
	_, err := Listen("unix://"+long, ListenOptions{})
	require.Error(t, err)
}
