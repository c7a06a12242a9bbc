package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Bridge makes a bridge: a switch in the kernel that every container's cable
// is plugged into, so that containers reach each other and the host. Made once
// by an engine; one that is there already is kept.
//
// The MAC is fixed: left to itself a bridge takes the lowest MAC of its ports,
// which changes as containers come and go.
//
// Man page: bridge(8), ip-link(8)
type Bridge struct {
	Name string
	MAC  string
}

// Do makes the bridge in the caller's namespace.
// A link of that name that is no bridge is an error.
func (b Bridge) Do() error {
	mac, err := net.ParseMAC(b.MAC)
	if err != nil {
		return fmt.Errorf("create bridge %s: %w", b.Name, err)
	}
	h, err := rtnetlink("")
	if err != nil {
		return err
	}
	defer h.Close()
	err = h.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: b.Name, HardwareAddr: mac, TxQLen: -1}})
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("create bridge %s: %w", b.Name, err)
	}
	return place{"", b.Name}.do("create bridge", func(_ *netlink.Handle, link netlink.Link) error {
		if link.Type() != "bridge" {
			return fmt.Errorf("there is a link of type %s: %w", link.Type(), unix.EEXIST)
		}
		return nil
	})
}

// String returns the command that does the same.
func (b Bridge) String() string {
	return fmt.Sprintf("ip link show %s >/dev/null 2>&1 || ip link add %s address %s type bridge", b.Name, b.Name, b.MAC)
}

// Undo deletes the bridge; cables in it stay, unplugged.
func (b Bridge) Undo() error {
	return unlessGone(place{"", b.Name}.do("delete bridge", (*netlink.Handle).LinkDel))
}

// Veth makes a cable with two ends: one plugged into the bridge, the other
// inside the container's namespace from its first moment. Without it the
// container hears nobody but itself.
//
// Hairpin lets the bridge send a frame back through the cable it came from: a
// container that asks for its own published port needs it where bridged frames
// pass the firewall (sysctl net.bridge.bridge-nf-call-iptables).
//
// Both ends are down. The kernel deletes both when either end, or the namespace
// it is in, goes away.
//
// Man page: veth(4), ip-link(8)
type Veth struct {
	Name   string // the host's end, at most 15 bytes
	Bridge string
	NetNS  string // path of the namespace of the other end
	Peer   string // the other end, such as eth0
	MAC    string // of the other end
}

// Do makes the pair and plugs the host's end into the bridge.
func (v Veth) Do() error {
	ns, err := os.Open(v.NetNS)
	if err != nil {
		return err
	}
	defer ns.Close()
	mac, err := net.ParseMAC(v.MAC)
	if err != nil {
		return fmt.Errorf("create veth %s: %w", v.Name, err)
	}
	return place{"", v.Bridge}.do("plug "+v.Name+" into", func(h *netlink.Handle, bridge netlink.Link) error {
		end := &netlink.Veth{
			LinkAttrs:        netlink.LinkAttrs{Name: v.Name, MasterIndex: bridge.Attrs().Index, TxQLen: -1},
			PeerName:         v.Peer,
			PeerHardwareAddr: mac,
			PeerNamespace:    netlink.NsFd(int(ns.Fd())),
			PeerTxQLen:       -1,
		}
		if err := h.LinkAdd(end); err != nil {
			return fmt.Errorf("create veth to %s in %s: %w", v.Peer, v.NetNS, err)
		}
		return h.LinkSetHairpin(end, true)
	})
}

// String returns the commands that do the same.
func (v Veth) String() string {
	return fmt.Sprintf("ip link add %s type veth peer name %s address %s netns %s\nip link set %s master %s\nbridge link set dev %s hairpin on",
		v.Name, v.Peer, v.MAC, quote(v.NetNS), v.Name, v.Bridge, v.Name)
}

// Undo switches the cable off and pulls it out of the bridge, at once. The
// kernel deletes it when the namespace ends, in the background: to delete a
// link it waits until no CPU looks at it any more, some 30 ms.
func (v Veth) Undo() error {
	return unlessGone(place{"", v.Name}.do("unplug", func(h *netlink.Handle, end netlink.Link) error {
		return errors.Join(h.LinkSetDown(end), h.LinkSetNoMaster(end))
	}))
}

// Up switches a link on: every link begins switched off, even the loopback, so
// that without this step a container cannot talk even to its own 127.0.0.1.
//
// Man page: ip-link(8)
type Up struct {
	NetNS string // path; "" = the caller's own
	Link  string
}

// Do sets the link's flag IFF_UP.
func (u Up) Do() error {
	return place{u.NetNS, u.Link}.do("set up", (*netlink.Handle).LinkSetUp)
}

// String returns the command that does the same.
func (u Up) String() string { return in(u.NetNS) + "ip link set " + u.Link + " up" }

// Ready waits until the kernel has noticed that both ends of a cable are switched
// on. It notices in the background, and drops what is sent before: a container's
// first question would now and then be answered a whole second late, when TCP or
// ARP asks again.
//
// Since Linux 6.8 the kernel catches up when asked about a link (commit
// facd15dfd691), so that nothing is waited for in fact.
//
// Man page: netdevice(7), ip-link(8)
type Ready struct {
	NetNS string // path; "" = the caller's own
	Links []string
}

// Do looks at the links' operational state (RFC 2863) until it is "up"; after
// five seconds that is an error.
func (r Ready) Do() error {
	deadline := time.Now().Add(5 * time.Second)
	await := func(h *netlink.Handle, link netlink.Link) (err error) {
		for ; err == nil && link.Attrs().OperState != netlink.OperUp; link, err = h.LinkByIndex(link.Attrs().Index) {
			if time.Now().After(deadline) {
				return fmt.Errorf("still %s", link.Attrs().OperState)
			}
			time.Sleep(time.Millisecond)
		}
		return err
	}
	for _, name := range r.Links {
		if err := (place{r.NetNS, name}).do("wait for link", await); err != nil {
			return err
		}
	}
	return nil
}

// String returns the command that does the same.
func (r Ready) String() string {
	lines := make([]string, len(r.Links))
	for i, name := range r.Links {
		lines[i] = fmt.Sprintf("until %sip link show %s | grep -q 'state UP'; do sleep 0.01; done", in(r.NetNS), name)
	}
	return strings.Join(lines, "\n")
}

// Address gives a link its IP address and says which others are reached over
// it directly: the container's name on the network. The address of the bridge
// makes the host the containers' gateway.
//
// Man page: ip-address(8), rtnetlink(7)
type Address struct {
	NetNS   string // path; "" = the caller's own
	Link    string
	Address netip.Prefix // such as 172.29.0.2/16
}

// Do adds the address, with the broadcast address of its prefix.
func (a Address) Do() error {
	return place{a.NetNS, a.Link}.do("add address "+a.Address.String()+" to", func(h *netlink.Handle, link netlink.Link) error {
		return h.AddrReplace(link, &netlink.Addr{IPNet: ipNet(a.Address)})
	})
}

// String returns the command that does the same.
func (a Address) String() string {
	return fmt.Sprintf("%sip address replace %s brd + dev %s", in(a.NetNS), a.Address, a.Link)
}

// Route sends everything that is not for a neighbour to the gateway, the
// bridge's address on the host: the container's way out.
//
// Man page: ip-route(8), rtnetlink(7)
type Route struct {
	NetNS   string // path
	Link    string
	Gateway netip.Addr
}

// Do adds the default route. The link must be up and have an address.
func (r Route) Do() error {
	return place{r.NetNS, r.Link}.do("add default route over", func(h *netlink.Handle, link netlink.Link) error {
		return h.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: r.Gateway.AsSlice()})
	})
}

// String returns the command that does the same.
func (r Route) String() string {
	return fmt.Sprintf("%sip route replace default via %s dev %s", in(r.NetNS), r.Gateway, r.Link)
}

// place is a link in a network namespace, by path and name.
type place struct{ netns, link string }

// do calls fn with the link and a netlink socket in its namespace; the verb is
// for the error.
func (p place) do(verb string, fn func(*netlink.Handle, netlink.Link) error) error {
	h, err := rtnetlink(p.netns)
	if err != nil {
		return err
	}
	defer h.Close()
	link, err := h.LinkByName(p.link)
	if err == nil {
		err = fn(h, link)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, p.link, err)
	}
	return nil
}

// unlessGone returns err unless it says that the link is not there.
func unlessGone(err error) error {
	if errors.As(err, &netlink.LinkNotFoundError{}) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// in returns the prefix that runs a command in a network namespace.
func in(netns string) string {
	if netns == "" {
		return ""
	}
	return "nsenter --net=" + quote(netns) + " "
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// quote returns s as one word of bash.
func quote(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-:=@%+,"
	special := func(r rune) bool { return !strings.ContainsRune(plain, r) }
	if s != "" && !strings.ContainsFunc(s, special) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
