package network

import (
	"net"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// port parses "127.0.0.1:8080/tcp".
func port(t *testing.T, s string) Port {
	t.Helper()
	at, err := netip.ParseAddrPort(s[:len(s)-len("/tcp")])
	require.NoError(t, err)
	return Port{Protocol: s[len(s)-len("tcp"):], HostIP: at.Addr(), HostPort: at.Port(), Target: 80}
}

func TestPortOfAnotherContainerIsRefused(t *testing.T) {
	newHost(t)
	for _, row := range []struct {
		held, asked string
		clash       bool
	}{
		{"0.0.0.0:8080/tcp", "0.0.0.0:8080/tcp", true},
		{"0.0.0.0:8080/tcp", "127.0.0.1:8080/tcp", true},
		{"127.0.0.1:8080/tcp", "0.0.0.0:8080/tcp", true},
		{"127.0.0.1:8080/udp", "127.0.0.1:8080/udp", true},
		{"127.0.0.1:8080/tcp", "127.0.0.2:8080/tcp", false},
		{"0.0.0.0:8080/tcp", "0.0.0.0:8080/udp", false},
		{"0.0.0.0:8080/tcp", "0.0.0.0:8081/tcp", false},
	} {
		n := openSubnet(t, t.TempDir(), "10.0.0.0/24")
		_, err := n.Reserve("a", []Port{port(t, row.held)})
		require.NoError(t, err)
		_, err = n.Reserve("b", []Port{port(t, row.asked)})
		if row.clash {
			require.ErrorIs(t, err, ErrPortAllocated, "%v", row)
			require.ErrorContains(t, err, row.asked[:len(row.asked)-len("/tcp")])
		} else {
			require.NoError(t, err, "%v", row)
		}
		require.NoError(t, n.Release("a"))
		_, err = n.Reserve("c", []Port{port(t, row.held)})
		require.NoError(t, err, "%v: released, it is free again", row)
		require.NoError(t, n.Release("b"))
		require.NoError(t, n.Release("c"))
	}
}

func TestPortOfAProgramIsRefused(t *testing.T) {
	newHost(t)
	n := openSubnet(t, t.TempDir(), "10.0.0.0/24")
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	taken := Port{Protocol: "tcp", HostPort: l.Addr().(*net.TCPAddr).AddrPort().Port(), Target: 80}
	_, err = n.Reserve("a", []Port{taken})
	require.ErrorIs(t, err, unix.EADDRINUSE)
	p, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer p.Close()
	taken = Port{Protocol: "udp", HostPort: p.LocalAddr().(*net.UDPAddr).AddrPort().Port(), Target: 80}
	_, err = n.Reserve("a", []Port{taken})
	require.ErrorIs(t, err, unix.EADDRINUSE)
}

func TestHeldPortIsRefusedToProgramsAndAnswersNobody(t *testing.T) {
	newHost(t)
	n := openSubnet(t, t.TempDir(), "10.0.0.0/24")
	other := openSubnet(t, t.TempDir(), "10.0.1.0/24")
	ports := []Port{{Protocol: "tcp", HostPort: 8080, Target: 80}, {Protocol: "udp", HostPort: 8080, Target: 80}}
	_, err := n.Reserve("a", ports)
	require.NoError(t, err)
	for _, addr := range []string{":8080", "127.0.0.1:8080"} {
		_, err = net.Listen("tcp4", addr)
		require.ErrorIs(t, err, unix.EADDRINUSE)
		_, err = net.ListenPacket("udp4", addr)
		require.ErrorIs(t, err, unix.EADDRINUSE)
	}
	for _, p := range ports {
		_, err = other.Reserve("b", []Port{p})
		require.ErrorIs(t, err, unix.EADDRINUSE, "another engine")
	}
	_, err = question{"", "tcp", "127.0.0.1:8080"}.ask(patience)
	require.ErrorIs(t, err, unix.ECONNREFUSED, "refused, not accepted and forgotten")

	require.NoError(t, n.Release("a"))
	l, err := net.Listen("tcp4", ":8080")
	require.NoError(t, err, "a released port is free")
	require.NoError(t, l.Close())
}

// TestPortOfAProgramThatJustEndedIsFree leaves a connection in TIME_WAIT.
func TestPortOfAProgramThatJustEndedIsFree(t *testing.T) {
	newHost(t)
	l, err := net.Listen("tcp4", "127.0.0.1:8080")
	require.NoError(t, err)
	client, err := net.Dial("tcp4", "127.0.0.1:8080")
	require.NoError(t, err)
	server, err := l.Accept()
	require.NoError(t, err)
	require.NoError(t, server.Close()) // the side that closes first waits
	_, err = client.Read(make([]byte, 1))
	require.Error(t, err)
	require.NoError(t, client.Close())
	require.NoError(t, l.Close())

	n := openSubnet(t, t.TempDir(), "10.0.0.0/24")
	_, err = n.Reserve("a", []Port{{Protocol: "tcp", HostPort: 8080, Target: 80}})
	require.NoError(t, err)
	require.NoError(t, n.Release("a"))
}

func TestPortZeroIsReplacedByAFreeOne(t *testing.T) {
	newHost(t)
	n := openSubnet(t, t.TempDir(), "10.0.0.0/24")
	got, err := n.Reserve("a", []Port{{Protocol: "tcp", Target: 80}, {Protocol: "udp", Target: 80}, {Protocol: "tcp", Target: 81}})
	require.NoError(t, err)
	require.Len(t, got, 3)
	for _, p := range got {
		require.GreaterOrEqual(t, p.HostPort, uint16(32768))
		if p.Protocol == "tcp" {
			_, err = net.Listen("tcp4", p.host().String())
		} else {
			_, err = net.ListenPacket("udp4", p.host().String())
		}
		require.ErrorIs(t, err, unix.EADDRINUSE, "%s is held", p)
	}
	require.NotEqual(t, got[0].HostPort, got[2].HostPort)
	require.NoError(t, n.Release("a"))
}

func TestPortsAreHeldAllOrNone(t *testing.T) {
	newHost(t)
	n := openSubnet(t, t.TempDir(), "10.0.0.0/24")
	for _, second := range []Port{
		{Protocol: "tcp", HostPort: 8080, Target: 81}, // the first one's
		{Protocol: "sctp", HostPort: 8081, Target: 80},
		{Protocol: "tcp", HostIP: netip.MustParseAddr("::1"), HostPort: 8081, Target: 80},
		{Protocol: "tcp", HostIP: netip.MustParseAddr("192.0.2.1"), HostPort: 8081, Target: 80}, // no address of ours
	} {
		_, err := n.Reserve("a", []Port{{Protocol: "tcp", HostPort: 8080, Target: 80}, second})
		require.Error(t, err, "%v", second)
	}
	_, err := n.Reserve("b", []Port{{Protocol: "tcp", HostPort: 8080, Target: 80}})
	require.NoError(t, err)
	require.NoError(t, n.Release("b"))
}

func TestPortIsPrintedAsDockerDoes(t *testing.T) {
	require.Equal(t, "0.0.0.0:8080->80/tcp", Port{Protocol: "tcp", HostPort: 8080, Target: 80}.String())
	require.Equal(t, "127.0.0.1:8080->80/tcp", port(t, "127.0.0.1:8080/tcp").String())
}

func TestRestartedEngineHoldsPortsAgain(t *testing.T) {
	n := newNetwork(t)
	b := newBox(t, n, Port{Protocol: "tcp", HostPort: 8080, Target: 80})
	require.NoError(t, n.Release(b.id)) // as when the engine was killed
	again, err := Open(OpenOptions{Dir: filepath.Dir(n.file)})
	require.NoError(t, err)
	held, err := again.Reserve(b.id, b.ports)
	require.NoError(t, err)
	require.Equal(t, b.ports, held)
	_, err = again.Reserve(newID(), b.ports)
	require.ErrorIs(t, err, ErrPortAllocated)
	require.NoError(t, again.Release(b.id))
}
