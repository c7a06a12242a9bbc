package namespaces_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
)

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
