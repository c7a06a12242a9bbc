package toolbox

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pinger sends ICMP echo requests to one IPv4 address.
type pinger struct {
	*command
	conn net.PacketConn
	to   net.Addr
	id   uint16        // 0: the kernel chooses one, and hands us no other's answers
	wait time.Duration // for one answer
}

// ping exits with 0 if an answer came and 1 if none did. Ctrl-C ends it with what it knows by then.
func ping(c *command) error {
	count, err := c.number("c", 0)
	if err != nil {
		return err
	}
	interval, err := c.duration("i", time.Second)
	if err != nil {
		return err
	}
	p := &pinger{command: c}
	if p.wait, err = c.duration("W", time.Second); err != nil {
		return err
	}
	if err := p.open(c.args[0]); err != nil {
		return err
	}
	defer p.conn.Close()
	fmt.Fprintf(c.out, "PING %s (%s)\n", c.args[0], p.to)
	interrupted := make(chan os.Signal, 1)
	catch(interrupted, os.Interrupt)
	sent, received, next := 0, 0, time.After(0)
	for going := true; going && (sent < count || count == 0); {
		select {
		case <-interrupted:
			going = false
		case <-next:
			next = time.After(interval)
			took, err := p.once(uint16(sent))
			sent++
			if err != nil {
				fmt.Fprintf(c.err, "no answer from %s: seq=%d: %v\n", p.to, sent-1, err)
				continue
			}
			received++
			if !c.has("q") {
				fmt.Fprintf(c.out, "answer from %s: seq=%d time=%.3f ms\n", p.to, sent-1, float64(took.Microseconds())/1000)
			}
		}
	}
	fmt.Fprintf(c.out, "\n--- %s ping statistics ---\n%d packets transmitted, %d packets received, %d%% packet loss\n",
		c.args[0], sent, received, 100*(sent-received)/max(1, sent))
	if received == 0 {
		return status(1)
	}
	return nil
}

// open asks for a datagram socket, which needs no privilege but a group in net.ipv4.ping_group_range (icmp(7)),
// and then for a raw one, which needs CAP_NET_RAW.
func (p *pinger) open(host string) error {
	addr, err := net.ResolveIPAddr("ip4", host)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_ICMP)
	if err == nil {
		f := os.NewFile(uintptr(fd), "icmp")
		defer f.Close() // FilePacketConn copies it
		p.to = &net.UDPAddr{IP: addr.IP}
		p.conn, err = net.FilePacketConn(f)
		return err
	}
	p.to, p.id = addr, uint16(os.Getpid())
	if p.conn, err = net.ListenPacket("ip4:icmp", ""); err != nil {
		return fmt.Errorf("open an ICMP socket (CAP_NET_RAW, or a group in net.ipv4.ping_group_range): %w", err)
	}
	return nil
}

// once sends one request and waits for its answer, of type 0.
func (p *pinger) once(seq uint16) (took time.Duration, err error) {
	begin := time.Now()
	if err := p.conn.SetDeadline(begin.Add(p.wait)); err != nil {
		return 0, err
	}
	if _, err := p.conn.WriteTo(p.request(seq), p.to); err != nil {
		return 0, err
	}
	m := make([]byte, 1500)
	for {
		n, _, err := p.conn.ReadFrom(m)
		if err != nil {
			return 0, err
		}
		if n >= 8 && m[0] == 0 && binary.BigEndian.Uint16(m[6:]) == seq && (p.id == 0 || binary.BigEndian.Uint16(m[4:]) == p.id) {
			return time.Since(begin), nil
		}
	}
}

// request is an ICMP echo request (RFC 792): type 8, code 0, checksum (RFC 1071), identifier, sequence number, 56 bytes.
func (p *pinger) request(seq uint16) []byte {
	m := make([]byte, 8+56)
	m[0] = 8
	binary.BigEndian.PutUint16(m[4:], p.id)
	binary.BigEndian.PutUint16(m[6:], seq)
	var sum uint32
	for i := 0; i < len(m); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(m[i:]))
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(m[2:], ^uint16(sum))
	return m
}
