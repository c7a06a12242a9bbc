// Package network puts a wire into the box: a network namespace for each
// container, a cable from it to a bridge, an address, a way out and a way in.
//
//	          host's network namespace                 container's
//	outside  ┌───────────────────────────────────┐   ┌───────────────┐
//	──eth0───┤ routing  ┌──────────┐  veth1f3a…  │   │ eth0          │
//	         │ + nft ───┤ cutaway0 ├────────────═╪═══╪═ 172.29.0.2   │
//	:8080 ──▶│ DNAT     │ 172.29.  │             │   │ default via   │
//	         │ MASQ  ──▶│   0.1/16 ├─ veth77c0…  │   │  172.29.0.1   │
//	         └──────────┴──────────┴─────────╪═──┘   └───────────────┘
//	                                         ╚═══════▶ another container
//
// # Vocabulary
//
// A network namespace (network_namespaces(7)) is a whole network stack of its
// own: links, addresses, routes, firewall, sockets, ports. A new one holds
// nothing but a loopback link that is down. It lives as long as a process is in
// it, or as long as a file is bind-mounted over /proc/PID/ns/net; this package
// keeps such a file, so that the namespace exists before the container's first
// process does.
//
// A veth pair (veth(4)) is a cable: what goes in at one end comes out at the
// other. A bridge is a switch made of software. DNAT rewrites where a packet
// goes (a published port), masquerading rewrites where it comes from (the
// container's private address means nothing outside). The kernel's connection
// tracking rewrites the answers back.
//
// # Steps
//
// [Network.Base] lists what an engine makes once; [Network.Steps] what one
// container needs. Each step is a plain value with Do, String (the command that
// does the same), and Undo where it leaves something behind. Steps name their
// namespaces by path; "" is the namespace of the calling process.
//
// # What is not guaranteed
//
// All chains of all tables at one netfilter hook see a packet, and one drop is
// final: our table can accept what it likes, a FORWARD policy of DROP set by
// another engine or a firewall still drops. IPv4 only. The published ports are
// held against other programs of this namespace only, and not for IPv6. Two
// engines that are opened for the first time at the same moment may choose the
// same subnet; a subnet once chosen is kept, whatever routes appear later.
// IP forwarding stays switched on when the engine ends, as others may need it.
package network

import "embed"

// Source is this package's own source, for explain.
//
//go:embed *.go
var Source embed.FS
