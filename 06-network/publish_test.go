package network

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"cutaway/chapters/lab"
)

// publishedPorts returns the keys in both maps of the kernel.
func publishedPorts(t *testing.T, n *Network) (keys [][]byte) {
	t.Helper()
	conn, err := nftables.New()
	require.NoError(t, err)
	for _, name := range []string{published, publishedAt} {
		elements, err := conn.GetSetElements(portMap(n.Bridge(), name))
		require.NoError(t, err)
		for _, e := range elements {
			keys = append(keys, e.Key)
		}
	}
	return keys
}

func TestPublishedPortAnswersFromEverywhere(t *testing.T) {
	testPublishedPort(t, "0")
}

// TestPublishedPortAnswersWhereBridgedFramesPassTheFirewall is about hosts on
// which br_netfilter is loaded, as Docker does.
func TestPublishedPortAnswersWhereBridgedFramesPassTheFirewall(t *testing.T) {
	testPublishedPort(t, "1")
}

func testPublishedPort(t *testing.T, bridgedFrames string) {
	n := newNetwork(t)
	err := Sysctl{Key: "net.bridge.bridge-nf-call-iptables", Value: bridgedFrames}.Do()
	if bridgedFrames == "1" || !errors.Is(err, os.ErrNotExist) { // without the module it is off
		lab.NeedSupport(t, err, "")
	}
	outside := newOutside(t)
	neighbour := newBox(t, n)
	web := newBox(t, n, Port{Protocol: "tcp", HostPort: 8080, Target: 80}, Port{Protocol: "udp", HostPort: 8080, Target: 80})
	serve(t, web.netns, ":80", "web")
	for _, network := range []string{"tcp", "udp"} {
		for _, row := range []struct{ what, from, addr, seen string }{
			{"host at its loopback", "", "127.0.0.1:8080", "172.29.0.1"},
			{"host at another loopback address", "", "127.0.0.53:8080", "172.29.0.1"},
			{"host at its outer address", "", "10.99.0.1:8080", "10.99.0.1"},
			{"host at the bridge", "", "172.29.0.1:8080", "172.29.0.1"},
			{"outside", outside, "10.99.0.1:8080", "10.99.0.2"},
			{"neighbour by the host's outer address", neighbour.netns, "10.99.0.1:8080", "172.29.0.1"},
			{"neighbour by the gateway", neighbour.netns, "172.29.0.1:8080", "172.29.0.1"},
			{"itself by the host's outer address", web.netns, "10.99.0.1:8080", "172.29.0.1"},
			{"neighbour directly", neighbour.netns, web.addr.String() + ":80", neighbour.addr.String()},
		} {
			got, err := question{row.from, network, row.addr}.ask(patience)
			require.NoError(t, err, "%s: %s", network, row.what)
			require.Equal(t, "web to "+row.seen, got, "%s: %s", network, row.what)
		}
	}
}

func TestPortPublishedAtOneAddressAnswersThereOnly(t *testing.T) {
	n := newNetwork(t)
	outside := newOutside(t)
	local := newBox(t, n, Port{Protocol: "tcp", HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: 8080, Target: 80})
	serve(t, local.netns, ":80", "local")
	requireAnswer(t, "local to 172.29.0.1", question{"", "tcp", "127.0.0.1:8080"})
	requireSilence(t, question{"", "tcp", "10.99.0.1:8080"})
	requireSilence(t, question{outside, "tcp", "10.99.0.1:8080"})

	outer := newBox(t, n, Port{Protocol: "tcp", HostIP: netip.MustParseAddr("10.99.0.1"), HostPort: 8080, Target: 80})
	serve(t, outer.netns, ":80", "outer")
	requireAnswer(t, "local to 172.29.0.1", question{"", "tcp", "127.0.0.1:8080"})
	requireAnswer(t, "outer to 10.99.0.2", question{outside, "tcp", "10.99.0.1:8080"})
}

// TestUnpublishedPortCannotBeReachedFromOutside is about a machine on the same
// wire that sends packets for a container's own address to the host.
func TestUnpublishedPortCannotBeReachedFromOutside(t *testing.T) {
	n := newNetwork(t)
	outside := newOutside(t)
	b := newBox(t, n, Port{Protocol: "tcp", HostPort: 8080, Target: 80})
	serve(t, b.netns, ":80", "b")
	serve(t, b.netns, ":81", "b")
	do(t, []Step{Route{NetNS: outside, Link: "eth0", Gateway: netip.MustParseAddr("10.99.0.1")}})
	requireAnswer(t, "b to 10.99.0.2", question{outside, "tcp", "10.99.0.1:8080"})
	requireSilence(t, question{outside, "tcp", b.addr.String() + ":81"})
	requireSilence(t, question{outside, "tcp", b.addr.String() + ":80"})

	flush(t, n, "forward") // and it is the rule that kept it out:
	requireAnswer(t, "b to 10.99.0.2", question{outside, "tcp", b.addr.String() + ":81"})
}

// TestContainerCannotReachTheHostsLoopback is CVE-2020-8558: the container sends
// packets for 127.0.0.1 out of its eth0 instead of to itself.
func TestContainerCannotReachTheHostsLoopback(t *testing.T) {
	n := newNetwork(t)
	evil := newBox(t, n)
	private, err := net.ListenPacket("udp4", "127.0.0.1:631")
	require.NoError(t, err)
	defer private.Close()
	require.NoError(t, Inside(evil.netns, func() error { return redirectLoopback(n.Gateway()) }))
	received := func(timeout time.Duration) error {
		_, _ = question{evil.netns, "udp", "127.0.0.1:631"}.ask(moment) // nobody answers
		_ = private.SetReadDeadline(time.Now().Add(timeout))
		_, _, err := private.ReadFrom(make([]byte, 100))
		return err
	}
	require.ErrorIs(t, received(moment), os.ErrDeadlineExceeded)

	flush(t, n, "guard") // and it is the rule that kept it out:
	require.NoError(t, received(patience))
}

// redirectLoopback routes 127.0.0.0/8 to the gateway instead of to lo.
func redirectLoopback(gateway netip.Addr) error {
	routes, err := netlink.RouteListFiltered(unix.AF_INET, &netlink.Route{Table: unix.RT_TABLE_LOCAL}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return err
	}
	for _, r := range routes {
		if r.Dst != nil && r.Dst.IP.IsLoopback() {
			if err := netlink.RouteDel(&r); err != nil {
				return err
			}
		}
	}
	eth0, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	return netlink.RouteAdd(&netlink.Route{
		LinkIndex: eth0.Attrs().Index, Dst: ipNet(netip.MustParsePrefix("127.0.0.0/8")), Gw: gateway.AsSlice(),
	})
}

func flush(t *testing.T, n *Network, chain string) {
	t.Helper()
	conn, err := nftables.New()
	require.NoError(t, err)
	conn.FlushChain(&nftables.Chain{Name: chain, Table: table(n.Bridge())})
	require.NoError(t, conn.Flush())
}

// TestAnotherTablesDropIsFinal is what doc.go says is not guaranteed.
func TestAnotherTablesDropIsFinal(t *testing.T) {
	n := newNetwork(t)
	outside := newOutside(t)
	b := newBox(t, n, Port{Protocol: "tcp", HostPort: 8080, Target: 80})
	serve(t, b.netns, ":80", "b")
	conn, err := nftables.New()
	require.NoError(t, err)
	other := conn.AddTable(table("firewall"))
	conn.AddChain(&nftables.Chain{
		Name: "forward", Table: other, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookForward,
		Priority: nftables.ChainPriorityFilter, Policy: new(nftables.ChainPolicyDrop),
	})
	require.NoError(t, conn.Flush())
	requireSilence(t, question{outside, "tcp", "10.99.0.1:8080"})

	conn.DelTable(other)
	require.NoError(t, conn.Flush())
	requireAnswer(t, "b to 10.99.0.2", question{outside, "tcp", "10.99.0.1:8080"})
}

func TestUnpublishTakesOnlyItsOwn(t *testing.T) {
	n := newNetwork(t)
	a := newBox(t, n, Port{Protocol: "tcp", HostPort: 8080, Target: 80})
	b := newBox(t, n, Port{Protocol: "tcp", HostPort: 8081, Target: 80})
	serve(t, b.netns, ":80", "b")
	// Of the three, one is a's, one is b's and one is nobody's.
	require.NoError(t, Publish{Table: n.Bridge(), Address: a.addr, Ports: []Port{
		{Protocol: "tcp", HostPort: 8080, Target: 80},
		{Protocol: "tcp", HostPort: 8081, Target: 80},
		{Protocol: "udp", HostPort: 8080, Target: 80},
	}}.Undo())
	require.Len(t, publishedPorts(t, n), 1)
	requireAnswer(t, "b to 172.29.0.1", question{"", "tcp", "127.0.0.1:8081"})
	_, err := question{"", "tcp", "127.0.0.1:8080"}.ask(patience)
	require.ErrorIs(t, err, unix.ECONNREFUSED)
}

func TestPortThatLeadsElsewhereIsAnError(t *testing.T) {
	n := newNetwork(t)
	a := newBox(t, n, Port{Protocol: "tcp", HostPort: 8080, Target: 80})
	err := Publish{Table: n.Bridge(), Address: a.addr.Next(), Ports: []Port{
		{Protocol: "tcp", HostPort: 8079, Target: 80},
		{Protocol: "tcp", HostPort: 8080, Target: 80},
	}}.Do()
	require.True(t, errors.Is(err, unix.EEXIST) || errors.Is(err, unix.EBUSY), "%v", err)
	require.Len(t, publishedPorts(t, n), 1, "all or none")
}

func TestPublishWithoutFirewallIsAnError(t *testing.T) {
	newHost(t)
	p := Publish{Table: "nosuch", Address: netip.MustParseAddr("172.29.0.2"), Ports: []Port{{Protocol: "tcp", HostPort: 8080, Target: 80}}}
	require.ErrorIs(t, p.Do(), os.ErrNotExist)
	require.NoError(t, p.Undo())
}

// TestUDPConversationMovesToTheContainer begins one before the port is published.
func TestUDPConversationMovesToTheContainer(t *testing.T) {
	n := newNetwork(t)
	outside := newOutside(t)
	b := newBox(t, n)
	serve(t, b.netns, ":80", "b")
	ports, err := n.Reserve(b.id, []Port{{Protocol: "udp", HostPort: 8080, Target: 80}})
	require.NoError(t, err)
	var client net.Conn
	require.NoError(t, Inside(outside, func() (err error) {
		client, err = net.Dial("udp4", "10.99.0.1:8080")
		return err
	}))
	defer client.Close()
	answer := func(timeout time.Duration) error {
		if _, err := client.Write([]byte("?")); err != nil {
			return err
		}
		_ = client.SetReadDeadline(time.Now().Add(timeout))
		_, err := client.Read(make([]byte, 100))
		return err
	}
	require.ErrorIs(t, answer(moment), os.ErrDeadlineExceeded)
	do(t, []Step{Publish{Table: n.Bridge(), Address: b.addr, Ports: ports}})
	require.ErrorIs(t, answer(moment), os.ErrDeadlineExceeded, "the kernel remembers")
	require.NoError(t, Forget{Ports: ports}.Do())
	require.NoError(t, answer(patience))
}
