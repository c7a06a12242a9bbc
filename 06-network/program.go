package network

import (
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// The kernel runs a rule as a small program on registers: load something of the
// packet, compare, and when nothing said no, act. `nft --debug=netlink` prints
// such programs. The functions here are the words that firewall.go is written in.

// statusDNAT is IPS_DST_NAT, linux/netfilter/nf_conntrack_common.h.
const statusDNAT = 1 << 5

// In the IPv4 header (RFC 791) and those of TCP and UDP: offsets in bytes.
const (
	saddrOffset = 12
	daddrOffset = 16
	dportOffset = 2
)

func program(words ...[]expr.Any) []expr.Any { return slices.Concat(words...) }

func meta(key expr.MetaKey) []expr.Any { return []expr.Any{&expr.Meta{Key: key, Register: 1}} }

// name compares register 1 with the name of a link, which the kernel pads to IFNAMSIZ.
func name(op expr.CmpOp, link string) []expr.Any {
	data := make([]byte, unix.IFNAMSIZ)
	copy(data, link)
	return []expr.Any{&expr.Cmp{Op: op, Register: 1, Data: data}}
}

func saddr(p netip.Prefix) []expr.Any { return address(saddrOffset, p) }
func daddr(p netip.Prefix) []expr.Any { return address(daddrOffset, p) }

func address(offset uint32, p netip.Prefix) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 4},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: ipNet(p).Mask, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: p.Masked().Addr().AsSlice()},
	}
}

// tracked matches when any of the bits is set in what conntrack knows.
func tracked(key expr.CtKey, bits uint32) []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: key, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(bits), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}

// toHost matches packets for any address of this host, as the routing table says.
func toHost() []expr.Any {
	return []expr.Any{
		&expr.Fib{Register: 1, ResultADDRTYPE: true, FlagDADDR: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL)},
	}
}

func loadDaddr(register uint32) []expr.Any {
	return []expr.Any{&expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: daddrOffset, Len: 4}}
}

// loadPort fills two 32-bit registers. Registers 8, 9, 10… are the quarters of
// the 128-bit registers 1, 2…: 1 and 8 are the same place.
func loadPort(register uint32) []expr.Any {
	next := register + 1
	if register == 1 {
		next = 9
	}
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: register},
		&expr.Payload{DestRegister: next, Base: expr.PayloadBaseTransportHeader, Offset: dportOffset, Len: 2},
	}
}

// dnat looks the registers up in a map and, when found, rewrites the packet's
// destination to the address and port of the element.
func dnat(set string) []expr.Any {
	return []expr.Any{
		&expr.Lookup{SourceRegister: 1, DestRegister: 1, IsDestRegSet: true, SetName: set},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1, RegProtoMin: 9},
	}
}

func masquerade() []expr.Any { return []expr.Any{&expr.Masq{}} }

func verdict(kind expr.VerdictKind) []expr.Any { return []expr.Any{&expr.Verdict{Kind: kind}} }

func jump(to string) []expr.Any {
	return []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: to}}
}

// element is one published port as the kernel keeps it: key and data are
// concatenations, each part padded to 4 bytes.
func element(p Port, to netip.Addr) nftables.SetElement {
	proto := map[string]byte{"tcp": unix.IPPROTO_TCP, "udp": unix.IPPROTO_UDP}[p.Protocol]
	key := []byte{proto, 0, 0, 0, byte(p.HostPort >> 8), byte(p.HostPort), 0, 0}
	if !p.anywhere() {
		key = append(p.HostIP.AsSlice(), key...)
	}
	return nftables.SetElement{Key: key, Val: append(to.AsSlice(), byte(p.Target>>8), byte(p.Target), 0, 0)}
}
