package observe

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	ns "cutaway/02-namespaces"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// network is the network of the container: that of its file, or of the child.
func (w place) network(s Subject) []string {
	if s.Netns != "" {
		return network(w.engineRoot(s.Netns))
	}
	if w.shares("net") {
		return nil
	}
	return network(w.child + "/ns/net")
}

// network lists the links, addresses and routes of a network namespace; nothing
// of a file that is no namespace, or not yet.
func network(file string) []string {
	var lines []string
	_ = ns.OnThread(func() error {
		if err := (ns.Join{Kind: ns.Net, Path: file}).Do(); err != nil {
			return err
		}
		lines = cables()
		return nil
	})
	return lines
}

// cables lists those of the calling thread's namespace. What cannot be listed is
// left out.
func cables() []string {
	var lines []string
	links, _ := netlink.LinkList()
	for _, l := range links {
		lines = append(lines, describe(l, links))
		addrs, _ := netlink.AddrList(l, netlink.FAMILY_V4)
		for _, a := range addrs {
			lines = append(lines, fmt.Sprintf("%s  address %s", l.Attrs().Name, a.IPNet))
		}
	}
	routes, _ := netlink.RouteList(nil, netlink.FAMILY_V4)
	for _, r := range routes {
		if r.Gw == nil {
			continue // it comes with an address
		}
		to := fmt.Sprint(r.Dst)
		if r.Dst == nil || to == "0.0.0.0/0" {
			to = "default"
		}
		lines = append(lines, fmt.Sprintf("route %s via %s", to, r.Gw))
	}
	return lines
}

// describe is one line about a link: "eth0  veth  up".
func describe(l netlink.Link, all []netlink.Link) string {
	a := l.Attrs()
	state := "down"
	if a.RawFlags&unix.IFF_UP != 0 {
		state = "up"
	}
	s := fmt.Sprintf("%s  %s  %s", a.Name, l.Type(), state)
	if i := slices.IndexFunc(all, func(o netlink.Link) bool { return o.Attrs().Index == a.MasterIndex }); a.MasterIndex != 0 && i >= 0 {
		s += "  plugged into " + all[i].Attrs().Name
	}
	return s
}

// elements lists what is in the sets and maps of nftables in a network
// namespace: "table published: tcp . 8080 -> 172.29.0.2 . 80".
func elements(file string) []string {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	conn, err := nftables.New(nftables.WithNetNSFd(int(f.Fd())))
	if err != nil {
		return nil
	}
	var lines []string
	tables, _ := conn.ListTables() // what cannot be listed is left out, here and below
	for _, table := range tables {
		sets, _ := conn.GetSets(table)
		for _, set := range sets {
			found, _ := conn.GetSetElements(set)
			for _, e := range found {
				s := fmt.Sprintf("%s: %s", set.Name, decode(set.KeyType.Name, e.Key))
				if set.IsMap {
					s += " -> " + decode(set.DataType.Name, e.Val)
				}
				lines = append(lines, s)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// decode prints a key of nftables: "inet_proto . inet_service" has each part
// in big-endian order, filled up to four bytes.
func decode(types string, data []byte) string {
	var parts []string
	for kind := range strings.SplitSeq(types, " . ") {
		if len(data) < 4 {
			return fmt.Sprintf("%x", data)
		}
		switch kind {
		case "ipv4_addr":
			parts = append(parts, netip.AddrFrom4([4]byte(data)).String())
		case "inet_service":
			parts = append(parts, fmt.Sprint(binary.BigEndian.Uint16(data)))
		case "inet_proto":
			name, ok := map[byte]string{unix.IPPROTO_TCP: "tcp", unix.IPPROTO_UDP: "udp"}[data[0]]
			if !ok {
				name = fmt.Sprint(data[0])
			}
			parts = append(parts, name)
		default:
			parts = append(parts, fmt.Sprintf("%x", data[:4]))
		}
		data = data[4:]
	}
	return strings.Join(parts, " . ")
}
