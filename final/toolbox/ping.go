package toolbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pinger sends ICMP echo requests to one IPv4 address.
type pinger struct {
	*command
	fd       int
	raw      bool // the socket is SOCK_RAW: what it receives begins with the IP header
	to       netip.Addr
	id       uint16
	wait     time.Duration // for one answer
	interval time.Duration
	quiet    bool

	sent, received int
}

// ping exits with 0 if an answer came and 1 if none did.
func ping(c *command) error {
	o, rest, err := c.operands("q c: i: W: w: 4", 1)
	if err != nil {
		return err
	}
	p := &pinger{command: c, id: uint16(os.Getpid()), quiet: o.has("q"), wait: time.Second, interval: time.Second}
	count := -1
	if o.has("c") {
		if count = number(o["c"]); count < 1 {
			return usagef("-c: %q is not a count", o["c"])
		}
	}
	for option, field := range map[string]*time.Duration{"W": &p.wait, "i": &p.interval} {
		if !o.has(option) {
			continue
		}
		if *field, err = duration(o[option]); err != nil {
			return err
		}
	}
	if p.to, err = resolve4(rest[0]); err != nil {
		return err
	}
	if err := p.open(); err != nil {
		return err
	}
	defer unix.Close(p.fd)
	fmt.Fprintf(c.out, "PING %s (%s): 56 data bytes\n", rest[0], p.to)
	return p.run(rest[0], count)
}

func resolve4(host string) (netip.Addr, error) {
	ips, err := net.DefaultResolver.LookupNetIP(context.Background(), "ip4", host)
	if err != nil {
		return netip.Addr{}, err
	}
	return ips[0].Unmap(), nil
}

// open asks for a datagram socket, which needs no privilege but a group in net.ipv4.ping_group_range (icmp(7)),
// and then for a raw one, which needs CAP_NET_RAW.
func (p *pinger) open() error {
	var err error
	for _, kind := range []int{unix.SOCK_DGRAM, unix.SOCK_RAW} {
		p.raw = kind == unix.SOCK_RAW
		if p.fd, err = unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP); err == nil {
			return nil
		}
	}
	return fmt.Errorf("open an ICMP socket (CAP_NET_RAW, or a group in net.ipv4.ping_group_range): %w", err)
}

// run sends requests until count is reached or SIGINT comes.
func (p *pinger) run(host string, count int) error {
	interrupted := catch(os.Interrupt)
	for seq := 0; seq != count; seq++ {
		if err := p.once(uint16(seq)); err != nil {
			return err
		}
		if seq+1 == count {
			break
		}
		select {
		case <-interrupted:
			count = seq + 1
		case <-time.After(p.interval):
		}
		if count == seq+1 {
			break
		}
	}
	fmt.Fprintf(p.out, "\n--- %s ping statistics ---\n%d packets transmitted, %d packets received, %d%% packet loss\n",
		host, p.sent, p.received, 100*(p.sent-p.received)/max(1, p.sent))
	if p.received == 0 {
		return status(1)
	}
	return nil
}

// once sends one request and waits for its answer.
func (p *pinger) once(seq uint16) error {
	begin := time.Now()
	err := unix.Sendto(p.fd, p.request(seq), 0, &unix.SockaddrInet4{Addr: p.to.As4()})
	p.sent++
	if errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH) {
		fmt.Fprintf(p.err, "ping: %s: %v\n", p.to, err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("send to %s: %w", p.to, err)
	}
	bytes, err := p.await(seq, begin.Add(p.wait))
	if err != nil || bytes == 0 {
		return err
	}
	p.received++
	if !p.quiet {
		ms := float64(time.Since(begin).Microseconds()) / 1000
		fmt.Fprintf(p.out, "%d bytes from %s: seq=%d time=%.3f ms\n", bytes, p.to, seq, ms)
	}
	return nil
}

// await reads until the answer to request seq arrives; 0 bytes say that none came in time.
func (p *pinger) await(seq uint16, deadline time.Time) (bytes int, err error) {
	buf := make([]byte, 1500)
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return 0, nil
		}
		timeout := unix.NsecToTimeval(max(left, time.Millisecond).Nanoseconds())
		if err := unix.SetsockoptTimeval(p.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
			return 0, fmt.Errorf("set SO_RCVTIMEO: %w", err)
		}
		n, _, err := unix.Recvfrom(p.fd, buf, 0)
		switch {
		case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EHOSTUNREACH):
			return 0, nil
		case err != nil:
			return 0, fmt.Errorf("receive: %w", err)
		}
		if m := p.message(buf[:n]); p.answers(m, seq) {
			return len(m), nil
		}
	}
}

// message takes the IP header off what a raw socket received; its first byte holds its length in words.
func (p *pinger) message(packet []byte) []byte {
	if !p.raw || len(packet) == 0 {
		return packet
	}
	return packet[min(len(packet), int(packet[0]&0x0f)*4):]
}

// answers reports whether a message is the echo reply (type 0) to request seq. A datagram socket's identifier
// is the kernel's choice, and the kernel hands it no other's answers.
func (p *pinger) answers(m []byte, seq uint16) bool {
	return len(m) >= 8 && m[0] == 0 && binary.BigEndian.Uint16(m[6:]) == seq &&
		(!p.raw || binary.BigEndian.Uint16(m[4:]) == p.id)
}

// request is an ICMP echo request (RFC 792): type 8, code 0, checksum, identifier, sequence number, 56 bytes.
func (p *pinger) request(seq uint16) []byte {
	m := make([]byte, 8+56)
	m[0] = 8
	binary.BigEndian.PutUint16(m[4:], p.id)
	binary.BigEndian.PutUint16(m[6:], seq)
	binary.BigEndian.PutUint16(m[2:], checksum(m))
	return m
}

// checksum is the Internet checksum (RFC 1071) of an even number of bytes.
func checksum(m []byte) uint16 {
	var sum uint32
	for i := 0; i < len(m); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(m[i:]))
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
