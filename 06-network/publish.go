package network

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Port is one published port: what arrives for it at the host goes to the
// container.
type Port struct {
	Protocol string     // "tcp" or "udp"
	HostIP   netip.Addr // zero or 0.0.0.0: every address of the host
	HostPort uint16     // 0 = choose one
	Target   uint16     // the port in the container
}

func (p Port) anywhere() bool { return !p.HostIP.IsValid() || p.HostIP.IsUnspecified() }

// mapName says which of the Firewall's maps the port belongs in.
func (p Port) mapName() string {
	if p.anywhere() {
		return published
	}
	return publishedAt
}

// String returns the port as Docker writes it, 0.0.0.0:8080->80/tcp.
func (p Port) String() string {
	return fmt.Sprintf("%s->%d/%s", p.host(), p.Target, p.Protocol)
}

func (p Port) host() netip.AddrPort {
	if p.anywhere() {
		return netip.AddrPortFrom(netip.IPv4Unspecified(), p.HostPort)
	}
	return netip.AddrPortFrom(p.HostIP, p.HostPort)
}

// Publish opens ports of the host that lead into a container, which otherwise
// cannot be reached from outside: its address is private to this host. Each is
// an element in a map of the Firewall, whose rules rewrite the destination of
// what arrives.
//
// Man page: nft(8)
type Publish struct {
	Table   string
	Address netip.Addr // the container's
	Ports   []Port     // HostPort settled
}

// Do adds the elements in one transaction and reads them back. A port that
// leads elsewhere already is an error: EEXIST (EBUSY from older kernels).
func (p Publish) Do() error {
	if err := p.change((*nftables.Conn).SetAddElements, p.Ports); err != nil {
		return fmt.Errorf("publish %s for %s: %w", p.Ports, p.Address, err)
	}
	present, err := p.present()
	if err == nil && len(present) < len(p.Ports) {
		err = fmt.Errorf("publish %s for %s: after adding, the kernel has only %s", p.Ports, p.Address, present)
	}
	return err
}

// String returns the commands that do the same.
func (p Publish) String() string {
	lines := make([]string, len(p.Ports))
	for i, port := range p.Ports {
		key := ""
		if !port.anywhere() {
			key = port.HostIP.String() + " . "
		}
		lines[i] = fmt.Sprintf("nft add element ip %s %s '{ %s%s . %d : %s . %d }'",
			p.Table, port.mapName(), key, port.Protocol, port.HostPort, p.Address, port.Target)
	}
	return strings.Join(lines, "\n")
}

// Undo deletes those of the elements that still lead to this address.
func (p Publish) Undo() error {
	present, err := p.present()
	if err == nil {
		err = p.change((*nftables.Conn).SetDeleteElements, present)
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unpublish %s for %s: %w", p.Ports, p.Address, err)
	}
	return nil
}

// change adds or deletes the elements of ports, all or none.
func (p Publish) change(how func(*nftables.Conn, *nftables.Set, []nftables.SetElement) error, ports []Port) error {
	conn, err := nftables.New()
	for _, port := range ports {
		if err == nil {
			err = how(conn, portMap(p.Table, port.mapName()), []nftables.SetElement{element(port, p.Address)})
		}
	}
	if err != nil {
		return err
	}
	return conn.Flush()
}

// present returns those of the ports that the kernel's maps lead to this
// address; none when the table is gone. It asks for one element at a time: a
// list of all may miss some while others are added (rhashtable_walk_next).
func (p Publish) present() (present []Port, err error) {
	for _, port := range p.Ports {
		want := element(port, p.Address)
		got, err := lookup(portMap(p.Table, port.mapName()), want.Key)
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return nil, fmt.Errorf("look up %s in table %s: %w", port, p.Table, err)
		}
		if bytes.Equal(got, want.Val) {
			present = append(present, port)
		}
	}
	return present, nil
}

// lookup returns the data of the element with this key, or ENOENT.
func lookup(set *nftables.Set, key []byte) ([]byte, error) {
	const nested = unix.NLA_F_NESTED
	elements := nl.NewRtAttr(nested|unix.NFTA_SET_ELEM_LIST_ELEMENTS, nil)
	elements.AddRtAttr(nested|unix.NFTA_LIST_ELEM, nil).
		AddRtAttr(nested|unix.NFTA_SET_ELEM_KEY, nil).AddRtAttr(unix.NFTA_DATA_VALUE, key)
	ask := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETSETELEM, unix.NLM_F_ACK)
	ask.AddData(&nl.Nfgenmsg{NfgenFamily: unix.NFPROTO_IPV4})
	ask.AddData(nl.NewRtAttr(unix.NFTA_SET_ELEM_LIST_TABLE, nl.ZeroTerminated(set.Table.Name)))
	ask.AddData(nl.NewRtAttr(unix.NFTA_SET_ELEM_LIST_SET, nl.ZeroTerminated(set.Name)))
	ask.AddData(elements)
	answers, err := ask.Execute(unix.NETLINK_NETFILTER, 0)
	if err != nil || len(answers) == 0 {
		return nil, err
	}
	path := []uint16{unix.NFTA_SET_ELEM_LIST_ELEMENTS, unix.NFTA_LIST_ELEM, unix.NFTA_SET_ELEM_DATA, unix.NFTA_DATA_VALUE}
	return attribute(answers[0][nl.SizeofNfgenmsg:], path)
}

// attribute follows a path of nested netlink attributes, netlink(7).
func attribute(data []byte, path []uint16) ([]byte, error) {
	for _, step := range path {
		all, err := nl.ParseRouteAttr(data)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(all, func(a syscall.NetlinkRouteAttr) bool { return a.Attr.Type&nl.NLA_TYPE_MASK == step })
		if i < 0 {
			return nil, nil
		}
		data = all[i].Value
	}
	return data, nil
}

// Forget makes the kernel forget the UDP conversations at published ports. UDP
// has no beginning: packets that came before the port was published began one
// without translation, and while they keep coming, connection tracking keeps
// sending them past the container.
//
// Man page: conntrack(8)
type Forget struct {
	Ports []Port
}

// Do deletes the flows from the connection tracking table.
func (f Forget) Do() error {
	var err error = netlink.ErrDumpInterrupted // a busy table: go through it again
	for tries := 0; tries < 10 && errors.Is(err, netlink.ErrDumpInterrupted); tries++ {
		_, err = netlink.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, stale(f.Ports))
	}
	if err != nil {
		return fmt.Errorf("forget flows to %s: %w", f.Ports, err)
	}
	return nil
}

// String returns the commands that do the same.
func (f Forget) String() string {
	var lines []string
	for _, p := range f.Ports {
		if p.Protocol == "udp" {
			lines = append(lines, fmt.Sprintf("conntrack --delete --proto udp --orig-port-dst %d >/dev/null 2>&1 || true", p.HostPort))
		}
	}
	return strings.Join(lines, "\n")
}

type stale []Port

// MatchConntrackFlow reports whether the flow is to one of the UDP ports.
func (s stale) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool {
	return flow.Forward.Protocol == unix.IPPROTO_UDP && slices.ContainsFunc(s, func(p Port) bool {
		return p.Protocol == "udp" && p.HostPort == flow.Forward.DstPort
	})
}
