package network

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"cutaway/chapters/lab"
)

func TestMain(m *testing.M) { lab.Main(m, lab.RootOrSandbox) }

// patience bounds what must happen; what must not happen is waited for a moment only.
const (
	patience = 20 * time.Second
	moment   = 300 * time.Millisecond
)

// newHost gives the test a network namespace to play the host in. It belongs to
// the test's thread, so what acts "on the host" must be called by the test's own goroutine.
func newHost(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // and never unlocked
	was, err := os.Open("/proc/thread-self/ns/net")
	require.NoError(t, err)
	t.Cleanup(func() { // the test's thread might be the process's first, which lives on
		require.NoError(t, unix.Setns(int(was.Fd()), unix.CLONE_NEWNET))
		was.Close()
	})
	require.NoError(t, unix.Unshare(unix.CLONE_NEWNET))
	require.NoError(t, Up{Link: "lo"}.Do())
}

// newNetwork is a host with a network whose base is in place.
func newNetwork(t *testing.T) *Network {
	t.Helper()
	newHost(t)
	n, err := Open(OpenOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	do(t, n.Base())
	return n
}

// box is a container, as far as the network goes.
type box struct {
	id    string
	netns string
	addr  netip.Addr
	ports []Port
	steps []Step
}

// newBox wires a container with the given published ports.
func newBox(t *testing.T, n *Network, ports ...Port) box {
	t.Helper()
	b := box{id: newID()}
	var err error
	b.addr, err = n.Allocate(b.id, netip.Addr{})
	require.NoError(t, err)
	b.ports, err = n.Reserve(b.id, ports)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Release(b.id)) })
	b.netns = filepath.Join(t.TempDir(), "net")
	b.steps = n.Steps(Endpoint{ID: b.id, NetNS: b.netns, Address: b.addr, Ports: b.ports})
	do(t, b.steps)
	return b
}

func newID() string {
	return strings.Repeat(fmt.Sprintf("%016x", rand.Uint64()), 4)
}

// do does the steps, and undoes them when the test is over.
func do(t *testing.T, steps []Step) {
	t.Helper()
	t.Cleanup(func() { undo(t, steps) })
	for _, s := range steps {
		require.NoError(t, s.Do(), "%s", s)
	}
}

func undo(t *testing.T, steps []Step) {
	t.Helper()
	for _, s := range slices.Backward(steps) {
		if u, ok := s.(interface{ Undo() error }); ok {
			require.NoError(t, u.Undo(), "undo %s", s)
		}
	}
}

// newOutside makes another machine at 10.99.0.2, on a wire to the host at 10.99.0.1.
func newOutside(t *testing.T) (netns string) {
	t.Helper()
	netns = filepath.Join(t.TempDir(), "outside")
	do(t, []Step{Namespace{netns}})
	f, err := os.Open(netns)
	require.NoError(t, err)
	defer f.Close()
	h, err := rtnetlink("")
	require.NoError(t, err)
	defer h.Close()
	require.NoError(t, h.LinkAdd(&netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: "uplink"}, PeerName: "eth0", PeerNamespace: netlink.NsFd(int(f.Fd())),
	}))
	do(t, []Step{
		Address{Link: "uplink", Address: netip.MustParsePrefix("10.99.0.1/24")}, Up{Link: "uplink"},
		Address{netns, "eth0", netip.MustParsePrefix("10.99.0.2/24")}, Up{netns, "eth0"},
		Ready{netns, []string{"eth0"}}, Ready{Links: []string{"uplink"}},
	})
	return netns
}

// at runs fn in a namespace, "" for the host.
func at(netns string, fn func() error) error {
	if netns == "" {
		return fn()
	}
	return Inside(netns, fn)
}

// serve answers every question at the address, TCP or UDP, with name and the
// asker's IP address as the server sees it.
func serve(t *testing.T, netns, addr, name string) {
	t.Helper()
	require.NoError(t, at(netns, func() error {
		l, err := net.Listen("tcp4", addr)
		if err != nil {
			return err
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for c, err := l.Accept(); err == nil; c, err = l.Accept() {
				fmt.Fprintf(c, "%s to %s", name, c.RemoteAddr().(*net.TCPAddr).IP)
				c.Close()
			}
		}()
		p, err := net.ListenPacket("udp4", addr)
		if err != nil {
			return err
		}
		t.Cleanup(func() { p.Close() })
		go func() {
			buf := make([]byte, 100)
			for _, from, err := p.ReadFrom(buf); err == nil; _, from, err = p.ReadFrom(buf) {
				_, _ = p.WriteTo(fmt.Appendf(nil, "%s to %s", name, from.(*net.UDPAddr).IP), from)
			}
		}()
		return nil
	}))
}

// question is what somebody in a namespace ("" for the host) asks at an address.
type question struct{ netns, network, addr string }

// ask returns the answer.
func (q question) ask(timeout time.Duration) (answer string, err error) {
	var c net.Conn
	err = at(q.netns, func() error {
		c, err = net.DialTimeout(q.network+"4", q.addr, timeout)
		return err
	})
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(timeout))
	if q.network == "udp" {
		if _, err := c.Write([]byte("?")); err != nil {
			return "", err
		}
		buf := make([]byte, 100)
		n, err := c.Read(buf)
		return string(buf[:n]), err
	}
	data, err := io.ReadAll(c)
	return string(data), err
}

func requireAnswer(t *testing.T, want string, q question) {
	t.Helper()
	got, err := q.ask(patience)
	require.NoError(t, err, "%v", q)
	require.Equal(t, want, got, "%v", q)
}

func requireSilence(t *testing.T, q question) {
	t.Helper()
	got, err := q.ask(moment)
	require.Error(t, err, "%v was answered %q", q, got)
}
