package network

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Firewall makes the host a router with address translation for its
// containers: a private address means nothing outside, so what leaves is
// masqueraded as the host's own, and what comes for a published port of the
// host is sent to the container that published it. What nobody published
// cannot be reached from outside the bridge.
//
// One nftables table belongs to one bridge. Ports are elements of two maps that
// the rules look up, so publishing one changes no rule: see Publish. The kernel
// takes the whole table at once or not at all; elements that are already there
// (of an engine before us) stay.
//
// Man page: nft(8)
type Firewall struct {
	Table  string
	Bridge string
	Subnet netip.Prefix
}

// The maps of a Firewall, and what is in an element.
const (
	publishedAt  = "published_at" // host address, protocol, host port: address, port
	published    = "published"    // protocol, host port: address, port
	publishChain = "publish"
)

var (
	portKey = nftables.MustConcatSetType(nftables.TypeInetProto, nftables.TypeInetService)
	hostKey = nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetProto, nftables.TypeInetService)
	target  = nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetService)
)

// rule is one line of the table: in nft's language, and as the little program
// for the kernel's nftables machine that nft would make of it.
type rule struct {
	chain, text string
	program     []expr.Any
}

// chain is one place where the kernel shows us packets; see nft(8), "Hooks".
// The chain without a hook is called by the others.
type chain struct {
	name, kind string
	hook       string
	priority   int
}

var hooks = map[string]*nftables.ChainHook{
	"prerouting":  nftables.ChainHookPrerouting,
	"output":      nftables.ChainHookOutput,
	"forward":     nftables.ChainHookForward,
	"postrouting": nftables.ChainHookPostrouting,
}

var chains = []chain{
	{name: publishChain},
	{"guard", "filter", "prerouting", -300},
	{"prerouting", "nat", "prerouting", -100},
	{"output", "nat", "output", -100},
	{"forward", "filter", "forward", 0},
	{"postrouting", "nat", "postrouting", 100},
}

// rules is the firewall, line by line.
func (f Firewall) rules() []rule {
	loopback := netip.MustParsePrefix("127.0.0.0/8")
	from, to := `iifname "`+f.Bridge+`" `, `oifname "`+f.Bridge+`" `
	iif, oif := meta(expr.MetaKeyIIFNAME), meta(expr.MetaKeyOIFNAME)
	return []rule{
		// A port published at one address of the host goes before one published at all.
		{publishChain, "dnat ip to ip daddr . meta l4proto . th dport map @" + publishedAt,
			program(loadDaddr(1), loadPort(9), dnat(publishedAt))},
		{publishChain, "dnat ip to meta l4proto . th dport map @" + published,
			program(loadPort(1), dnat(published))},
		// route_localnet lets answers to 127.0.0.1 pass; containers must not use it to
		// reach the host's own loopback services (CVE-2020-8558).
		{"guard", from + "ip daddr 127.0.0.0/8 drop",
			program(iif, name(expr.CmpOpEq, f.Bridge), daddr(loopback), verdict(expr.VerdictDrop))},
		// Packets that arrive, and packets that the host's own programs send.
		{"prerouting", "fib daddr type local jump " + publishChain, program(toHost(), jump(publishChain))},
		{"output", "fib daddr type local jump " + publishChain, program(toHost(), jump(publishChain))},
		// From outside the bridge only answers and published ports get in.
		{"forward", to + "ct state established,related accept",
			program(oif, name(expr.CmpOpEq, f.Bridge), tracked(expr.CtKeySTATE, expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED), verdict(expr.VerdictAccept))},
		{"forward", to + "ct status dnat accept",
			program(oif, name(expr.CmpOpEq, f.Bridge), tracked(expr.CtKeySTATUS, statusDNAT), verdict(expr.VerdictAccept))},
		{"forward", to + `iifname != "` + f.Bridge + `" drop`,
			program(oif, name(expr.CmpOpEq, f.Bridge), iif, name(expr.CmpOpNeq, f.Bridge), verdict(expr.VerdictDrop))},
		// The way out.
		{"postrouting", "ip saddr " + f.Subnet.String() + ` oifname != "` + f.Bridge + `" masquerade`,
			program(saddr(f.Subnet), oif, name(expr.CmpOpNeq, f.Bridge), masquerade())},
		// Hairpin: a container asked for a port of the host and got a neighbour. The
		// neighbour must answer by way of the host, which alone knows the translation.
		{"postrouting", "ip saddr " + f.Subnet.String() + " " + to + "ct status dnat masquerade",
			program(saddr(f.Subnet), oif, name(expr.CmpOpEq, f.Bridge), tracked(expr.CtKeySTATUS, statusDNAT), masquerade())},
		// The host asked at 127.0.0.1, which in the container would mean the container.
		{"postrouting", "ip saddr 127.0.0.0/8 " + to + "masquerade",
			program(saddr(loopback), oif, name(expr.CmpOpEq, f.Bridge), masquerade())},
	}
}

// Do puts the table in place in one transaction, and counts the rules.
func (f Firewall) Do() error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	table := conn.AddTable(&nftables.Table{Name: f.Table, Family: nftables.TableFamilyIPv4})
	for _, m := range []*nftables.Set{portMap(table, published), portMap(table, publishedAt)} {
		if err := conn.AddSet(m, nil); err != nil {
			return fmt.Errorf("create map %s in table %s: %w", m.Name, f.Table, err)
		}
	}
	for _, c := range chains {
		conn.FlushChain(conn.AddChain(c.nft(table)))
	}
	for _, r := range f.rules() {
		conn.AddRule(&nftables.Rule{Table: table, Chain: &nftables.Chain{Name: r.chain, Table: table}, Exprs: r.program})
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("create nftables table %s: %w", f.Table, err)
	}
	return f.verify(conn, table)
}

func (f Firewall) verify(conn *nftables.Conn, table *nftables.Table) error {
	got, want := 0, len(f.rules())
	for _, c := range chains {
		rules, err := conn.GetRules(table, &nftables.Chain{Name: c.name})
		if err != nil {
			return fmt.Errorf("read back chain %s of table %s: %w", c.name, f.Table, err)
		}
		got += len(rules)
	}
	if got != want {
		return fmt.Errorf("create nftables table %s: %d rules in the kernel, not %d", f.Table, got, want)
	}
	return nil
}

// String returns the command that does the same.
func (f Firewall) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("nft -f - <<'EOF'")
	line("add table ip %s", f.Table)
	line("add map ip %s %s { type inet_proto . inet_service : ipv4_addr . inet_service; }", f.Table, published)
	line("add map ip %s %s { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }", f.Table, publishedAt)
	for _, c := range chains {
		line("add chain ip %s %s%s", f.Table, c.name, c.spec())
		line("flush chain ip %s %s", f.Table, c.name)
	}
	for _, r := range f.rules() {
		line("add rule ip %s %s %s", f.Table, r.chain, r.text)
	}
	b.WriteString("EOF")
	return b.String()
}

// Undo deletes the table and all that is in it.
func (f Firewall) Undo() error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	conn.DelTable(&nftables.Table{Name: f.Table, Family: nftables.TableFamilyIPv4})
	if err := conn.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("delete nftables table %s: %w", f.Table, err)
	}
	return nil
}

func (c chain) spec() string {
	if c.hook == "" {
		return ""
	}
	return fmt.Sprintf(" { type %s hook %s priority %d; }", c.kind, c.hook, c.priority)
}

func (c chain) nft(table *nftables.Table) *nftables.Chain {
	out := &nftables.Chain{Table: table, Name: c.name}
	if c.hook != "" {
		out.Type = nftables.ChainType(c.kind)
		out.Hooknum = hooks[c.hook]
		out.Priority = nftables.ChainPriorityRef(nftables.ChainPriority(c.priority))
	}
	return out
}

func portMap(table *nftables.Table, name string) *nftables.Set {
	m := &nftables.Set{Table: table, Name: name, IsMap: true, Concatenation: true, KeyType: portKey, DataType: target}
	if name == publishedAt {
		m.KeyType = hostKey
	}
	return m
}
