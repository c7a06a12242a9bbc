package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func TestContainerIsWiredAsAsked(t *testing.T) {
	n := newNetwork(t)
	b := newBox(t, n)
	h, err := rtnetlink(b.netns)
	require.NoError(t, err)
	defer h.Close()

	lo, err := h.LinkByName("lo")
	require.NoError(t, err)
	require.NotZero(t, lo.Attrs().RawFlags&unix.IFF_UP)
	eth0, err := h.LinkByName("eth0")
	require.NoError(t, err)
	require.Equal(t, "02:42:ac:1d:00:02", eth0.Attrs().HardwareAddr.String())
	require.NotZero(t, eth0.Attrs().RawFlags&unix.IFF_UP)

	addrs, err := h.AddrList(eth0, unix.AF_INET)
	require.NoError(t, err)
	require.Len(t, addrs, 1)
	require.Equal(t, "172.29.0.2/16", addrs[0].IPNet.String())
	require.Equal(t, "172.29.255.255", addrs[0].Broadcast.String())

	routes, err := h.RouteGet(netip.MustParseAddr("192.0.2.1").AsSlice())
	require.NoError(t, err)
	require.Equal(t, "172.29.0.1", routes[0].Gw.String())
	requirePlugged(t, n, b)
}

// requirePlugged looks at the host's end of the cable.
func requirePlugged(t *testing.T, n *Network, b box) {
	t.Helper()
	h, err := rtnetlink("")
	require.NoError(t, err)
	defer h.Close()
	bridge, err := h.LinkByName(n.Bridge())
	require.NoError(t, err)
	end, err := h.LinkByName(cable(b).Name)
	require.NoError(t, err)
	require.Equal(t, bridge.Attrs().Index, end.Attrs().MasterIndex)
	require.NotZero(t, end.Attrs().RawFlags&unix.IFF_UP)
}

func cable(b box) Veth {
	for _, s := range b.steps {
		if v, ok := s.(Veth); ok {
			return v
		}
	}
	return Veth{}
}

func TestContainerWithoutNetworkHasItsLoopbackOnly(t *testing.T) {
	n := newNetwork(t)
	netns := filepath.Join(t.TempDir(), "net")
	do(t, n.Steps(Endpoint{ID: newID(), NetNS: netns}))
	serve(t, netns, "127.0.0.1:80", "itself")
	requireAnswer(t, "itself to 127.0.0.1", question{netns, "tcp", "127.0.0.1:80"})
	h, err := rtnetlink(netns)
	require.NoError(t, err)
	defer h.Close()
	links, err := h.LinkList()
	require.NoError(t, err)
	for _, l := range links {
		require.Contains(t, []string{"loopback", "ipip", "sit", "gre", "gretap", "erspan", "vti", "vti6", "ip6tnl", "ip6gre"},
			kind(l), "%s", l.Attrs().Name)
	}
	_, err = question{netns, "tcp", "172.29.0.1:80"}.ask(moment)
	require.ErrorIs(t, err, unix.ENETUNREACH)
}

// kind: the kernel reports no type for a loopback.
func kind(l netlink.Link) string {
	if l.Attrs().Name == "lo" {
		return "loopback"
	}
	return l.Type()
}

func TestContainersReachEachOtherAndTheHost(t *testing.T) {
	n := newNetwork(t)
	a, b := newBox(t, n), newBox(t, n)
	serve(t, b.netns, ":80", "b")
	serve(t, "", ":81", "host")
	for _, network := range []string{"tcp", "udp"} {
		requireAnswer(t, "b to "+a.addr.String(), question{a.netns, network, b.addr.String() + ":80"})
		requireAnswer(t, "b to 172.29.0.1", question{"", network, b.addr.String() + ":80"})
		requireAnswer(t, "host to "+a.addr.String(), question{a.netns, network, "172.29.0.1:81"})
	}
}

func TestOutsideSeesTheHostsAddress(t *testing.T) {
	n := newNetwork(t)
	b := newBox(t, n)
	outside := newOutside(t)
	serve(t, outside, ":80", "outside")
	for _, network := range []string{"tcp", "udp"} {
		requireAnswer(t, "outside to 10.99.0.1", question{b.netns, network, "10.99.0.2:80"})
	}
}

func TestUndoLeavesNothing(t *testing.T) {
	n := newNetwork(t)
	b := newBox(t, n, Port{Protocol: "tcp", Target: 80}, Port{Protocol: "udp", HostIP: netip.MustParseAddr("127.0.0.1"), Target: 53})
	h, err := rtnetlink("")
	require.NoError(t, err)
	defer h.Close()
	link, err := h.LinkByName(cable(b).Name)
	require.NoError(t, err)
	undo(t, b.steps)
	if left, err := h.LinkByIndex(link.Attrs().Index); err == nil {
		require.Zero(t, left.Attrs().MasterIndex, "a cable that is not gone yet is not in the bridge")
		require.Zero(t, left.Attrs().RawFlags&unix.IFF_UP)
	}
	require.NoFileExists(t, b.netns)
	require.Eventually(t, func() bool {
		_, err := h.LinkByIndex(link.Attrs().Index)
		return err != nil
	}, patience, moment/10, "the kernel deletes the cable with the namespace")
	require.Empty(t, publishedPorts(t, n))
	undo(t, b.steps) // once more: no error

	undo(t, n.Base())
	_, err = h.LinkByName(n.Bridge())
	require.ErrorAs(t, err, &netlink.LinkNotFoundError{})
	undo(t, n.Base())
}

func TestUndoOfWhatWasNeverDoneIsNoError(t *testing.T) {
	newHost(t)
	n, err := Open(OpenOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	undo(t, n.Base())
	undo(t, n.Steps(Endpoint{ID: newID(), NetNS: filepath.Join(t.TempDir(), "net"),
		Address: netip.MustParseAddr("172.29.0.2"), Ports: []Port{{Protocol: "tcp", HostPort: 80, Target: 80}}}))
}

// TestStartUndoneAfterAnyStepLeavesNothing stops in front of every step in turn.
func TestStartUndoneAfterAnyStepLeavesNothing(t *testing.T) {
	n := newNetwork(t)
	port := Port{Protocol: "tcp", HostPort: 8080, Target: 80}
	for stop := 0; ; stop++ {
		steps := n.Steps(Endpoint{ID: newID(), NetNS: filepath.Join(t.TempDir(), "net"),
			Address: netip.MustParseAddr("172.29.0.2"), Ports: []Port{port}})
		if stop > len(steps) {
			return
		}
		do(t, steps[:stop])
		undo(t, steps)
		require.NoFileExists(t, steps[0].(Namespace).Path)
		require.Empty(t, publishedPorts(t, n))
	}
}

func TestEngineStartsAgainAroundRunningContainers(t *testing.T) {
	n := newNetwork(t)
	b := newBox(t, n, Port{Protocol: "tcp", HostPort: 8080, Target: 80})
	serve(t, b.netns, ":80", "b")

	again, err := Open(OpenOptions{Dir: filepath.Dir(n.file)})
	require.NoError(t, err)
	require.Equal(t, n.Subnet(), again.Subnet())
	require.Equal(t, map[string]netip.Addr{b.id: b.addr}, again.Allocated())
	for _, s := range again.Base() {
		require.NoError(t, s.Do(), "%s", s)
	}
	requirePlugged(t, again, b)
	requireAnswer(t, "b to 172.29.0.1", question{"", "tcp", "127.0.0.1:8080"})
}

func TestSubnetAvoidsWhatTheHostRoutes(t *testing.T) {
	newHost(t)
	outside := newOutside(t)
	require.NotEmpty(t, outside)
	do(t, []Step{
		Address{Link: "uplink", Address: netip.MustParsePrefix("172.29.7.1/24")},
		Route{Link: "uplink", Gateway: netip.MustParseAddr("10.99.0.2")},
	})
	dir := t.TempDir()
	n, err := Open(OpenOptions{Dir: dir, Bridge: "cw-1"})
	require.NoError(t, err)
	require.Equal(t, "172.30.0.0/16", n.Subnet().String())
	do(t, n.Base())

	again, err := Open(OpenOptions{Dir: dir, Bridge: "cw-1"})
	require.NoError(t, err)
	require.Equal(t, n.Subnet(), again.Subnet(), "the subnet is remembered, though now a route is there")
	other, err := Open(OpenOptions{Dir: dir, Bridge: "cw-2"})
	require.NoError(t, err)
	require.Equal(t, "172.31.0.0/16", other.Subnet().String())
}

func TestTwoEnginesDoNotMeet(t *testing.T) {
	n := newNetwork(t)
	other, err := Open(OpenOptions{Dir: t.TempDir(), Bridge: "cw-other"})
	require.NoError(t, err)
	do(t, other.Base())
	a, b := newBox(t, n), newBox(t, other)
	serve(t, a.netns, ":80", "a")
	serve(t, b.netns, ":80", "b")
	requireSilence(t, question{a.netns, "tcp", b.addr.String() + ":80"})
	requireSilence(t, question{b.netns, "tcp", a.addr.String() + ":80"})

	undo(t, other.Base())
	requireAnswer(t, "a to 172.29.0.1", question{"", "tcp", a.addr.String() + ":80"})
}

func TestBridgesNameTakenByAnotherLinkIsAnError(t *testing.T) {
	newHost(t)
	newOutside(t)
	require.ErrorIs(t, Bridge{Name: "uplink", MAC: "02:42:ac:1d:00:01"}.Do(), unix.EEXIST)
}

func TestVethIntoNoBridgeLeavesNothing(t *testing.T) {
	newHost(t)
	netns := filepath.Join(t.TempDir(), "net")
	do(t, []Step{Namespace{netns}})
	err := Veth{Name: "veth0", Bridge: "nobridge", NetNS: netns, Peer: "eth0", MAC: "02:42:ac:1d:00:02"}.Do()
	require.ErrorContains(t, err, "nobridge")
	require.NoDirExists(t, "/proc/sys/net/ipv4/conf/veth0")
}

func TestSysctlThatTheKernelRefusesIsAnError(t *testing.T) {
	newHost(t)
	require.ErrorIs(t, Sysctl{Key: "net.ipv4.ip_forward", Value: "many"}.Do(), unix.EINVAL)
	require.ErrorIs(t, Sysctl{Key: "net.ipv4.no_such_switch", Value: "1"}.Do(), os.ErrNotExist)
}

// TestManyContainersStartAndStopAtTheSameTime wires and unwires containers with
// ports in parallel, each on a thread that has joined the test's host.
func TestManyContainersStartAndStopAtTheSameTime(t *testing.T) {
	n := newNetwork(t)
	host := fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid())
	dir := t.TempDir()
	var all sync.WaitGroup
	for range 60 {
		id := newID()
		all.Go(func() {
			err := Inside(host, func() error { return startAndStop(n, id, filepath.Join(dir, id)) })
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.Empty(t, n.Allocated())
	require.Empty(t, publishedPorts(t, n))
}

func startAndStop(n *Network, id, netns string) error {
	addr, err := n.Allocate(id, netip.Addr{})
	if err != nil {
		return err
	}
	ports, err := n.Reserve(id, []Port{{Protocol: "tcp", Target: 80}, {Protocol: "udp", Target: 80}})
	if err != nil {
		return err
	}
	steps := n.Steps(Endpoint{ID: id, NetNS: netns, Address: addr, Ports: ports})
	for _, s := range steps {
		if err := s.Do(); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	for _, s := range slices.Backward(steps) {
		if u, ok := s.(interface{ Undo() error }); ok {
			err = errors.Join(err, u.Undo())
		}
	}
	return errors.Join(err, n.Release(id))
}

func TestSubnetWithoutRoomIsRefused(t *testing.T) {
	for _, subnet := range []string{"10.0.0.0/31", "10.0.0.1/32", "fd00::/64"} {
		_, err := Open(OpenOptions{Dir: t.TempDir(), Subnet: netip.MustParsePrefix(subnet)})
		require.ErrorContains(t, err, subnet)
	}
}

// BenchmarkWire measures what a container waits for: its steps, and how soon
// after them its first question is answered.
func BenchmarkWire(b *testing.B) {
	dir := b.TempDir()
	host := Namespace{filepath.Join(dir, "host")}
	require.NoError(b, host.Do())
	defer host.Undo()
	require.NoError(b, Inside(host.Path, func() error { return benchmark(b, dir) }))
}

func benchmark(b *testing.B, dir string) error {
	n, err := Open(OpenOptions{Dir: dir})
	if err != nil {
		return err
	}
	for _, s := range n.Base() {
		if err := s.Do(); err != nil {
			return err
		}
	}
	var answered, undone time.Duration
	for b.Loop() {
		steps := n.Steps(Endpoint{ID: newID(), NetNS: filepath.Join(dir, "net"), Address: n.Gateway().Next()})
		for _, s := range steps {
			if err := s.Do(); err != nil {
				return err
			}
		}
		b.StopTimer()
		start := time.Now()
		_, _ = question{filepath.Join(dir, "net"), "tcp", n.Gateway().String() + ":9"}.ask(patience) // refused
		answered += time.Since(start)
		start = time.Now()
		for _, s := range slices.Backward(steps) {
			if u, ok := s.(interface{ Undo() error }); ok {
				err = errors.Join(err, u.Undo())
			}
		}
		undone += time.Since(start)
		b.StartTimer()
	}
	b.ReportMetric(float64(answered.Microseconds())/float64(b.N), "µs/first-answer")
	b.ReportMetric(float64(undone.Microseconds())/float64(b.N), "µs/undo")
	return err
}
