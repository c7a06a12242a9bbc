package network

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// DefaultBridge is the bridge of an engine that asks for none.
const DefaultBridge = "cutaway0"

// pool is where subnets are taken from: what RFC 1918 leaves over by Docker's
// habits, which begin at 172.17.0.0/16.
var pool = []netip.Prefix{
	netip.MustParsePrefix("172.29.0.0/16"),
	netip.MustParsePrefix("172.30.0.0/16"),
	netip.MustParsePrefix("172.31.0.0/16"),
	netip.MustParsePrefix("172.28.0.0/16"),
	netip.MustParsePrefix("10.213.0.0/16"),
	netip.MustParsePrefix("10.214.0.0/16"),
	netip.MustParsePrefix("192.168.213.0/24"),
	netip.MustParsePrefix("192.168.214.0/24"),
}

// ErrNoSubnet says that every subnet of the pool overlaps a route of the host.
var ErrNoSubnet = errors.New("no free subnet: every one of the pool is in use by a route of this host")

// Network is one bridge and what hangs on it: a subnet whose addresses are given
// to containers, and the host's ports that lead to them. It is safe for
// concurrent use.
type Network struct {
	bridge string
	subnet netip.Prefix
	file   string

	mu        sync.Mutex
	addresses map[string]netip.Addr // by container ID
	ports     map[string][]held     // by container ID
}

// OpenOptions says which network to open.
type OpenOptions struct {
	Dir    string       // where it is remembered; best on a tmpfs, as nothing of it outlives a reboot
	Bridge string       // at most 15 bytes; "" = DefaultBridge
	Subnet netip.Prefix // IPv4; zero = as remembered, else the first of a pool that no route of the host overlaps
}

// Open reads what Dir remembers of the network, or chooses its subnet and
// writes it down. It changes nothing in the kernel: Base's steps do.
func Open(o OpenOptions) (*Network, error) {
	if o.Bridge == "" {
		o.Bridge = DefaultBridge
	}
	if o.Subnet.IsValid() && (!o.Subnet.Addr().Is4() || o.Subnet.Bits() > 30) {
		return nil, fmt.Errorf("open network %s: subnet %s is not IPv4, or has no room for a container", o.Bridge, o.Subnet)
	}
	n := &Network{
		bridge:    o.Bridge,
		subnet:    o.Subnet.Masked(),
		file:      filepath.Join(o.Dir, o.Bridge+".json"),
		addresses: map[string]netip.Addr{},
		ports:     map[string][]held{},
	}
	if err := n.load(); err != nil {
		return nil, err
	}
	if n.subnet.IsValid() {
		return n, n.save()
	}
	subnet, err := freeSubnet()
	if err != nil {
		return nil, err
	}
	n.subnet = subnet
	return n, n.save()
}

// freeSubnet returns the first of the pool that no route overlaps. Every
// address of a link has a route, so routes tell of addresses too.
func freeSubnet() (netip.Prefix, error) {
	routes, err := netlink.RouteList(nil, unix.AF_INET)
	for errors.Is(err, netlink.ErrDumpInterrupted) { // a route changed while we read
		routes, err = netlink.RouteList(nil, unix.AF_INET)
	}
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("list routes: %w", err)
	}
	for _, candidate := range pool {
		taken := slices.ContainsFunc(routes, func(r netlink.Route) bool {
			dst, err := netip.ParsePrefix(r.Dst.String())
			return err == nil && dst.Bits() > 0 && dst.Overlaps(candidate) // the default route overlaps everything
		})
		if !taken {
			return candidate, nil
		}
	}
	return netip.Prefix{}, ErrNoSubnet
}

// Bridge returns the name of the bridge, which is also that of the nftables table.
func (n *Network) Bridge() string { return n.bridge }

// Subnet returns the addresses that belong to the bridge.
func (n *Network) Subnet() netip.Prefix { return n.subnet }

// Gateway returns the bridge's own address, the first of the subnet: the
// containers' way out, and the host as they see it.
func (n *Network) Gateway() netip.Addr { return n.subnet.Addr().Next() }

// Step is what the steps of this package have in common.
type Step interface {
	Do() error
	String() string
}

// Base lists what has to be there before the first container, in the namespace
// of the caller. Every step of it can be done again without harm, so an engine
// does them all at each start; what running containers hold stays.
func (n *Network) Base() []Step {
	return []Step{
		Bridge{Name: n.bridge, MAC: MAC(n.Gateway())},
		Address{Link: n.bridge, Address: netip.PrefixFrom(n.Gateway(), n.subnet.Bits())},
		Up{Link: n.bridge},
		Sysctl{Key: "net.ipv4.ip_forward", Value: "1"},
		Sysctl{Key: "net.ipv4.conf." + n.bridge + ".route_localnet", Value: "1"},
		Firewall{Table: n.bridge, Bridge: n.bridge, Subnet: n.subnet},
	}
}

// Endpoint is a container's place on the network.
type Endpoint struct {
	ID      string     // of the container
	NetNS   string     // path for its namespace
	Address netip.Addr // zero: no network but the loopback (--network none)
	MAC     string     // "" = made from the address
	Ports   []Port     // published, with HostPort settled
}

// Steps lists what wires one container, in order. Undone in reverse, it leaves nothing.
func (n *Network) Steps(e Endpoint) []Step {
	steps := []Step{Namespace{Path: e.NetNS}, Up{NetNS: e.NetNS, Link: "lo"}}
	if !e.Address.IsValid() {
		return steps
	}
	if e.MAC == "" {
		e.MAC = MAC(e.Address)
	}
	cable, end := hostEnd(e.ID), "eth0"
	steps = append(steps,
		Veth{Name: cable, Bridge: n.bridge, NetNS: e.NetNS, Peer: end, MAC: e.MAC},
		Address{NetNS: e.NetNS, Link: end, Address: netip.PrefixFrom(e.Address, n.subnet.Bits())},
		Up{NetNS: e.NetNS, Link: end},
		Up{Link: cable},
		Ready{NetNS: e.NetNS, Links: []string{end}},
		Ready{Links: []string{cable, n.bridge}},
		Route{NetNS: e.NetNS, Link: end, Gateway: n.Gateway()})
	if len(e.Ports) > 0 {
		steps = append(steps, Publish{Table: n.bridge, Address: e.Address, Ports: e.Ports})
	}
	if slices.ContainsFunc(e.Ports, func(p Port) bool { return p.Protocol == "udp" }) {
		steps = append(steps, Forget{Ports: e.Ports})
	}
	return steps
}

// hostEnd names the host's end of a cable after the container, as far as it
// goes: a link's name has at most 15 bytes (IFNAMSIZ less its NUL). The rest is
// random, as the cable of the container's last start may not be gone yet.
func hostEnd(id string) string {
	return "veth" + id[:min(len(id), 7)] + strings.ToLower(rand.Text()[:4])
}

// MAC returns the MAC that Docker gave to an address for years: 02:42 (the 02
// says "locally administered") and the four bytes of the address. One address
// always has one MAC, so no neighbour's ARP table is ever wrong.
func MAC(a netip.Addr) string {
	b := a.As4()
	return fmt.Sprintf("02:42:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3])
}
