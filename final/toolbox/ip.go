package toolbox

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ip shows addresses, links, routes and neighbours of this network namespace, over netlink. It changes nothing.
func ip(c *command) error {
	o, rest, err := c.operands("4 6 br", 1)
	if err != nil {
		return err
	}
	family := netlink.FAMILY_ALL
	if o.has("4") {
		family = netlink.FAMILY_V4
	}
	if o.has("6") {
		family = netlink.FAMILY_V6
	}
	object, device, err := ipWords(rest)
	if err != nil {
		return err
	}
	links, err := linksNamed(device)
	if err != nil {
		return err
	}
	q := ipQuery{c.out, family, o.has("br"), links}
	switch object {
	case "address":
		return q.addresses()
	case "link":
		return q.showLinks()
	case "route":
		return q.routes()
	case "neighbour":
		return q.neighbours()
	}
	return usagef("unknown object %q", object)
}

// ipWords reads "addr", "addr show", "addr show eth0" and "addr show dev eth0". Objects may be abbreviated.
func ipWords(words []string) (object, device string, err error) {
	object = words[0]
	for _, full := range []string{"address", "link", "route", "neighbour"} {
		if strings.HasPrefix(full, words[0]) {
			object = full
			break
		}
	}
	words = words[1:]
	if len(words) > 0 && (words[0] == "show" || words[0] == "list" || words[0] == "ls") {
		words = words[1:]
	}
	if len(words) == 2 && words[0] == "dev" {
		words = words[1:]
	}
	switch len(words) {
	case 0:
		return object, "", nil
	case 1:
		return object, words[0], nil
	}
	return "", "", usagef("unknown word %q: this ip only shows", words[0])
}

// linksNamed returns one link, or all of them for "".
func linksNamed(device string) ([]netlink.Link, error) {
	if device == "" {
		return netlink.LinkList()
	}
	link, err := netlink.LinkByName(device)
	if err != nil {
		return nil, fmt.Errorf("link %s: %w", device, err)
	}
	return []netlink.Link{link}, nil
}

// ipQuery is what to show, and where.
type ipQuery struct {
	out    io.Writer
	family int
	brief  bool
	links  []netlink.Link
}

func (q ipQuery) showLinks() error {
	for _, link := range q.links {
		if q.brief {
			a := link.Attrs()
			fmt.Fprintf(q.out, "%-16s %-10s %s <%s>\n", linkName(link), linkState(a), hardwareAddress(a), linkFlags(a))
			continue
		}
		q.link(link)
	}
	return nil
}

// link prints the two lines that iproute2 prints:
//
//	2: eth0@if5: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP qlen 1000
//	    link/ether 02:42:ac:1d:00:02
func (q ipQuery) link(link netlink.Link) {
	a := link.Attrs()
	kind := "ether"
	if a.EncapType == "loopback" {
		kind = "loopback"
	}
	fmt.Fprintf(q.out, "%d: %s: <%s> mtu %d state %s\n    link/%s %s\n",
		a.Index, linkName(link), linkFlags(a), a.MTU, linkState(a), kind, hardwareAddress(a))
}

// linkName says "eth0@if5" for one end of a pair whose other end is link 5, usually in another namespace.
func linkName(link netlink.Link) string {
	a := link.Attrs()
	if a.ParentIndex == 0 {
		return a.Name
	}
	return fmt.Sprintf("%s@if%d", a.Name, a.ParentIndex)
}

func linkState(a *netlink.LinkAttrs) string { return strings.ToUpper(a.OperState.String()) }

func hardwareAddress(a *netlink.LinkAttrs) string {
	if len(a.HardwareAddr) == 0 {
		return "00:00:00:00:00:00"
	}
	return a.HardwareAddr.String()
}

func linkFlags(a *netlink.LinkAttrs) string {
	var names []string
	for _, f := range []struct {
		bit  uint32
		name string
	}{{unix.IFF_LOOPBACK, "LOOPBACK"}, {unix.IFF_BROADCAST, "BROADCAST"}, {unix.IFF_MULTICAST, "MULTICAST"},
		{unix.IFF_UP, "UP"}, {unix.IFF_LOWER_UP, "LOWER_UP"}} {
		if a.RawFlags&f.bit != 0 {
			names = append(names, f.name)
		}
	}
	return strings.Join(names, ",")
}

func (q ipQuery) addresses() error {
	for _, link := range q.links {
		addrs, err := netlink.AddrList(link, q.family)
		if err != nil {
			return fmt.Errorf("list addresses of %s: %w", link.Attrs().Name, err)
		}
		if q.brief {
			fmt.Fprintf(q.out, "%-16s %-10s", linkName(link), linkState(link.Attrs()))
			for _, a := range addrs {
				fmt.Fprintf(q.out, " %s", a.IPNet)
			}
			fmt.Fprintln(q.out)
			continue
		}
		q.link(link)
		for _, a := range addrs {
			fmt.Fprintf(q.out, "    %s %s%s scope %s %s\n", inet(a), a.IPNet, broadcast(a), scopeName(a.Scope), a.Label)
		}
	}
	return nil
}

// scopeName says "global" where the library says "universe", as ip-address(8) does.
func scopeName(scope int) string {
	if netlink.Scope(scope) == netlink.SCOPE_UNIVERSE {
		return "global"
	}
	return netlink.Scope(scope).String()
}

func inet(a netlink.Addr) string {
	if a.IP.To4() == nil {
		return "inet6"
	}
	return "inet"
}

func broadcast(a netlink.Addr) string {
	if a.Broadcast == nil || a.Broadcast.IsUnspecified() {
		return ""
	}
	return " brd " + a.Broadcast.String()
}

func (q ipQuery) routes() error {
	for _, link := range q.links {
		routes, err := netlink.RouteList(link, q.routeFamily())
		if err != nil {
			return fmt.Errorf("list routes of %s: %w", link.Attrs().Name, err)
		}
		for _, r := range routes {
			fmt.Fprintln(q.out, routeLine(r, link.Attrs().Name))
		}
	}
	return nil
}

// routeFamily is IPv4 unless asked otherwise, as "ip route" has it.
func (q ipQuery) routeFamily() int {
	if q.family == netlink.FAMILY_ALL {
		return netlink.FAMILY_V4
	}
	return q.family
}

func routeLine(r netlink.Route, device string) string {
	line := "default"
	if ones, _ := maskSize(r); r.Dst != nil && ones > 0 {
		line = r.Dst.String()
	}
	if r.Gw != nil {
		line += " via " + r.Gw.String()
	}
	line += " dev " + device
	if r.Protocol != 0 && r.Protocol != unix.RTPROT_BOOT {
		line += " proto " + r.Protocol.String()
	}
	if r.Scope != netlink.SCOPE_UNIVERSE {
		line += " scope " + r.Scope.String()
	}
	if r.Src != nil {
		line += " src " + r.Src.String()
	}
	return line
}

func maskSize(r netlink.Route) (ones, bits int) {
	if r.Dst == nil {
		return 0, 0
	}
	return r.Dst.Mask.Size()
}

func (q ipQuery) neighbours() error {
	w := tabwriter.NewWriter(q.out, 0, 1, 1, ' ', 0)
	defer w.Flush()
	for _, link := range q.links {
		neighbours, err := netlink.NeighList(link.Attrs().Index, q.family)
		if err != nil {
			return fmt.Errorf("list neighbours of %s: %w", link.Attrs().Name, err)
		}
		for _, n := range neighbours {
			if n.State&unix.NUD_NOARP == 0 {
				fmt.Fprintf(w, "%s\tdev %s\tlladdr %s\n", n.IP, link.Attrs().Name, n.HardwareAddr)
			}
		}
	}
	return nil
}
