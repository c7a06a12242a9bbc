package network

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"

	"golang.org/x/sys/unix"
)

// ErrPortAllocated says that another container of this network publishes the port.
var ErrPortAllocated = errors.New("port is already allocated")

// held is a port of the host that we keep others from using.
type held struct {
	port   Port
	socket io.Closer
}

// Reserve holds ports of the host for the container with this ID, all or none,
// and returns them with every HostPort of 0 replaced by a free one of the
// kernel's ephemeral range (sysctl net.ipv4.ip_local_port_range).
//
// A port is held by a socket bound to it, as nothing else makes the kernel
// refuse it to other programs: the firewall takes the packets away before any
// socket sees them. Errors: ErrPortAllocated when another of our containers has
// it, EADDRINUSE when a program of the host has. After a restart an engine
// reserves again what its running containers have published.
func (n *Network) Reserve(id string, ports []Port) ([]Port, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var done []held
	settled := make([]Port, 0, len(ports))
	for _, p := range ports {
		h, err := n.hold(p, done)
		if err != nil {
			for _, h := range done {
				h.socket.Close()
			}
			return nil, err
		}
		done, settled = append(done, h), append(settled, h.port)
	}
	n.ports[id] = append(n.ports[id], done...)
	return settled, nil
}

// Close lets go of all ports of the host, as the end of the process does. What
// is published stays so, and so do the addresses.
func (n *Network) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var errs []error
	for id, ports := range n.ports {
		for _, h := range ports {
			errs = append(errs, h.socket.Close())
		}
		delete(n.ports, id)
	}
	return errors.Join(errs...)
}

// hold binds the port, unless one of ours, or of those in also, has it.
func (n *Network) hold(p Port, also []held) (held, error) {
	clashes := func(h held) bool { return h.port.clashes(p) }
	for _, theirs := range append(slices.Collect(maps.Values(n.ports)), also) {
		if slices.ContainsFunc(theirs, clashes) {
			return held{}, fmt.Errorf("bind for %s failed: %w", p.host(), ErrPortAllocated)
		}
	}
	bind := map[string]func(Port) (held, error){"tcp": holdTCP, "udp": holdUDP}[p.Protocol]
	if bind == nil {
		return held{}, fmt.Errorf("publish %s: protocol %q is neither tcp nor udp", p, p.Protocol)
	}
	if p.HostIP.IsValid() && !p.HostIP.Is4() {
		return held{}, fmt.Errorf("publish %s: only IPv4 addresses of the host can be published", p)
	}
	return bind(p)
}

func (p Port) clashes(q Port) bool {
	return p.Protocol == q.Protocol && p.HostPort == q.HostPort &&
		(p.anywhere() || q.anywhere() || p.HostIP == q.HostIP)
}

// holdTCP listens, for only a listening socket is refused a port that another
// one holds, and stops listening at once: shutdown(2) leaves it bound. So
// whoever comes before the port is published is refused, not kept waiting. Go
// sets SO_REUSEADDR, to get past the TIME_WAIT of a program that has just
// ended; cleared afterwards, the next one cannot get past us.
func holdTCP(p Port) (held, error) {
	l, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(p.host()))
	if err != nil {
		return held{}, err
	}
	if p.HostPort == 0 {
		return holdChosen(p, l)
	}
	conn, err := l.SyscallConn()
	if err == nil {
		var shut, reuse error
		err = conn.Control(func(fd uintptr) {
			shut = unix.Shutdown(int(fd), unix.SHUT_RD)
			reuse = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 0)
		})
		err = errors.Join(err, shut, reuse)
	}
	if err != nil {
		l.Close()
		return held{}, fmt.Errorf("hold %s: %w", p.host(), err)
	}
	return held{p, l}, nil
}

// holdChosen holds the port that the kernel chose for l, by its number: a port
// that was not asked for by number would be let go by shutdown(2). Should
// another program be quicker, there are more.
func holdChosen(p Port, l *net.TCPListener) (held, error) {
	q := p
	q.HostPort = l.Addr().(*net.TCPAddr).AddrPort().Port()
	l.Close()
	h, err := holdTCP(q)
	if errors.Is(err, unix.EADDRINUSE) {
		return holdTCP(p)
	}
	return h, err
}

func holdUDP(p Port) (held, error) {
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(p.host()))
	if err != nil {
		return held{}, err
	}
	p.HostPort = c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	return held{p, c}, nil
}
