package toolbox

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
)

// ip shows addresses, links and routes of this network namespace, over netlink. It changes nothing. Objects may be
// abbreviated, and of all words that may follow "show" only the name of a link is known.
func ip(c *command) error {
	object := c.args[0]
	names := slices.DeleteFunc(c.args[1:], func(w string) bool { return w == "show" || w == "list" || w == "dev" })
	if len(names) > 1 {
		return usagef("unknown word %q: this ip only shows", names[0])
	}
	links, err := netlink.LinkList()
	if len(names) > 0 {
		var link netlink.Link
		link, err = netlink.LinkByName(names[0])
		links = []netlink.Link{link}
	}
	if err != nil {
		return err
	}
	show := c.showLink
	switch {
	case strings.HasPrefix("route", object):
		show = c.showRoutes
	case strings.HasPrefix("address", object):
		show = c.showAddresses
	case !strings.HasPrefix("link", object):
		return usagef("unknown object %q", object)
	}
	for _, link := range links {
		if err := show(link); err != nil {
			return err
		}
	}
	return nil
}

// showLink prints the two lines that iproute2 prints, or one with -br:
//
//	2: eth0@if5: <UP,BROADCAST,MULTICAST,RUNNING> mtu 1500 state UP
//	    link/ether 02:42:ac:1d:00:02
func (c *command) showLink(link netlink.Link) error {
	a := link.Attrs()
	flags := strings.ToUpper(strings.ReplaceAll(a.Flags.String(), "|", ","))
	if c.has("b") {
		_, err := fmt.Fprintf(c.out, "%-26s %s <%s>\n", linkState(a), a.HardwareAddr, flags)
		return err
	}
	name, state, _ := strings.Cut(linkState(a), " ")
	_, err := fmt.Fprintf(c.out, "%d: %s: <%s> mtu %d state %s\n    link/%s %s\n",
		a.Index, name, flags, a.MTU, strings.TrimSpace(state), a.EncapType, a.HardwareAddr)
	return err
}

// linkState says "eth0@if5 UP": one end of a pair, whose other end is link 5, usually in another namespace.
func linkState(a *netlink.LinkAttrs) string {
	name := a.Name
	if a.ParentIndex != 0 {
		name += fmt.Sprintf("@if%d", a.ParentIndex)
	}
	return fmt.Sprintf("%-16s %s", name, strings.ToUpper(a.OperState.String()))
}

func (c *command) showAddresses(link netlink.Link) error {
	addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	if c.has("b") {
		fmt.Fprintf(c.out, "%-26s", linkState(link.Attrs()))
		for _, a := range addrs {
			fmt.Fprintf(c.out, " %s", a.IPNet)
		}
		_, err := fmt.Fprintln(c.out)
		return err
	}
	if err := c.showLink(link); err != nil {
		return err
	}
	for _, a := range addrs {
		family := "inet"
		if a.IP.To4() == nil {
			family = "inet6"
		}
		fmt.Fprintf(c.out, "    %s %s\n", family, a)
	}
	return nil
}

// showRoutes prints the IPv4 routes over a link, as "ip route" has it:
//
//	default via 172.29.0.1 dev eth0
//	172.29.0.0/16 dev eth0 src 172.29.0.2
func (c *command) showRoutes(link netlink.Link) error {
	routes, err := netlink.RouteList(link, netlink.FAMILY_V4)
	for _, r := range routes {
		line := "default"
		if r.Dst != nil && r.Dst.String() != "0.0.0.0/0" {
			line = r.Dst.String()
		}
		if r.Gw != nil {
			line += " via " + r.Gw.String()
		}
		line += " dev " + link.Attrs().Name
		if r.Src != nil {
			line += " src " + r.Src.String()
		}
		fmt.Fprintln(c.out, line)
	}
	return err
}
