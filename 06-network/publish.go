package network

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/nftables"
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
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	for _, port := range p.Ports {
		err := conn.SetAddElements(p.set(port), []nftables.SetElement{element(port, p.Address)})
		if err != nil {
			return fmt.Errorf("publish %s: %w", port, err)
		}
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("publish %s for %s: %w", p.Ports, p.Address, err)
	}
	present, err := p.present(conn)
	if err != nil {
		return err
	}
	if len(present) != len(p.Ports) {
		return fmt.Errorf("publish %s for %s: after adding, the kernel has only %s", p.Ports, p.Address, present)
	}
	return nil
}

// String returns the commands that do the same.
func (p Publish) String() string {
	lines := make([]string, len(p.Ports))
	for i, port := range p.Ports {
		name, key := published, ""
		if !port.anywhere() {
			name, key = publishedAt, port.HostIP.String()+" . "
		}
		lines[i] = fmt.Sprintf("nft add element ip %s %s '{ %s%s . %d : %s . %d }'",
			p.Table, name, key, port.Protocol, port.HostPort, p.Address, port.Target)
	}
	return strings.Join(lines, "\n")
}

// Undo deletes those of the elements that still lead to this address.
func (p Publish) Undo() error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	present, err := p.present(conn)
	if err != nil {
		return err
	}
	for _, port := range present {
		err := conn.SetDeleteElements(p.set(port), []nftables.SetElement{element(port, p.Address)})
		if err != nil {
			return fmt.Errorf("unpublish %s: %w", port, err)
		}
	}
	if err := conn.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unpublish %s for %s: %w", p.Ports, p.Address, err)
	}
	return nil
}

// present returns those of the ports that the kernel's maps lead to this
// address; none when the table is gone.
func (p Publish) present(conn *nftables.Conn) ([]Port, error) {
	var present []Port
	table := &nftables.Table{Name: p.Table, Family: nftables.TableFamilyIPv4}
	if _, err := conn.GetSetByName(table, published); errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	for _, name := range []string{published, publishedAt} {
		elements, err := conn.GetSetElements(portMap(table, name))
		if err != nil {
			return nil, fmt.Errorf("read map %s of table %s: %w", name, p.Table, err)
		}
		for _, port := range p.Ports {
			if p.set(port).Name == name && contains(elements, element(port, p.Address)) {
				present = append(present, port)
			}
		}
	}
	return present, nil
}

func contains(elements []nftables.SetElement, want nftables.SetElement) bool {
	return slices.ContainsFunc(elements, func(e nftables.SetElement) bool {
		return bytes.Equal(e.Key, want.Key) && bytes.Equal(e.Val, want.Val)
	})
}

func (p Publish) set(port Port) *nftables.Set {
	table := &nftables.Table{Name: p.Table, Family: nftables.TableFamilyIPv4}
	if port.anywhere() {
		return portMap(table, published)
	}
	return portMap(table, publishedAt)
}
