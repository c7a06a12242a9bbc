package network

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
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
	publishedAt = "published_at" // host address, protocol, host port: address, port
	published   = "published"    // protocol, host port: address, port
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
	{name: "publish"},
	{"guard", "filter", "prerouting", -300},
	{"prerouting", "nat", "prerouting", -100},
	{"output", "nat", "output", -100},
	{"forward", "filter", "forward", 0},
	{"postrouting", "nat", "postrouting", 100},
}

// rules is the firewall, line by line.
func (f Firewall) rules() []rule {
	loopback := netip.MustParsePrefix("127.0.0.0/8")
	subnet, bridge := f.Subnet.String(), strconv.Quote(f.Bridge)
	from := program(meta(expr.MetaKeyIIFNAME), name(expr.CmpOpEq, f.Bridge))
	notFrom := program(meta(expr.MetaKeyIIFNAME), name(expr.CmpOpNeq, f.Bridge))
	to := program(meta(expr.MetaKeyOIFNAME), name(expr.CmpOpEq, f.Bridge))
	notTo := program(meta(expr.MetaKeyOIFNAME), name(expr.CmpOpNeq, f.Bridge))
	answer := tracked(expr.CtKeySTATE, expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED)
	translated := tracked(expr.CtKeySTATUS, statusDNAT)
	return []rule{
		// A port published at one address of the host goes before one published at all.
		{"publish", "dnat ip to ip daddr . meta l4proto . th dport map @published_at",
			program(loadDaddr(1), loadPort(9), dnat(publishedAt))},
		{"publish", "dnat ip to meta l4proto . th dport map @published",
			program(loadPort(1), dnat(published))},
		// route_localnet lets answers to 127.0.0.1 pass; containers must not use it to
		// reach the host's own loopback services (CVE-2020-8558).
		{"guard", "iifname " + bridge + " ip daddr 127.0.0.0/8 drop",
			program(from, daddr(loopback), verdict(expr.VerdictDrop))},
		// Packets that arrive, and packets that the host's own programs send.
		{"prerouting", "fib daddr type local jump publish", program(toHost(), jump("publish"))},
		{"output", "fib daddr type local jump publish", program(toHost(), jump("publish"))},
		// From outside the bridge only answers and published ports get in.
		{"forward", "oifname " + bridge + " ct state established,related accept",
			program(to, answer, verdict(expr.VerdictAccept))},
		{"forward", "oifname " + bridge + " ct status dnat accept",
			program(to, translated, verdict(expr.VerdictAccept))},
		{"forward", "oifname " + bridge + " iifname != " + bridge + " drop",
			program(to, notFrom, verdict(expr.VerdictDrop))},
		// The way out.
		{"postrouting", "ip saddr " + subnet + " oifname != " + bridge + " masquerade",
			program(saddr(f.Subnet), notTo, masquerade())},
		// Hairpin: a container asked for a port of the host and got a neighbour. The
		// neighbour must answer by way of the host, which alone knows the translation.
		{"postrouting", "ip saddr " + subnet + " oifname " + bridge + " ct status dnat masquerade",
			program(saddr(f.Subnet), to, translated, masquerade())},
		// The host asked at 127.0.0.1, which in the container would mean the container.
		{"postrouting", "ip saddr 127.0.0.0/8 oifname " + bridge + " masquerade",
			program(saddr(loopback), to, masquerade())},
	}
}

// Do puts the table in place in one transaction, and counts the rules.
func (f Firewall) Do() error {
	if err := f.create(); err != nil {
		return fmt.Errorf("create nftables table %s: %w", f.Table, err)
	}
	if err := f.verify(); err != nil {
		return fmt.Errorf("read back nftables table %s: %w", f.Table, err)
	}
	return nil
}

func (f Firewall) create() error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	conn.AddTable(table(f.Table))
	for _, name := range []string{published, publishedAt} {
		if err := conn.AddSet(portMap(f.Table, name), nil); err != nil {
			return err
		}
	}
	for _, c := range chains {
		conn.FlushChain(conn.AddChain(c.nft(f.Table)))
	}
	for _, r := range f.rules() {
		conn.AddRule(&nftables.Rule{Table: table(f.Table), Chain: &nftables.Chain{Name: r.chain}, Exprs: r.program})
	}
	return conn.Flush()
}

func (f Firewall) verify() error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	missing := len(f.rules())
	for _, c := range chains {
		rules, err := conn.GetRules(table(f.Table), &nftables.Chain{Name: c.name})
		if err != nil {
			return err
		}
		missing -= len(rules)
	}
	if missing != 0 {
		return fmt.Errorf("%d rules are missing", missing)
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
	if err == nil {
		conn.DelTable(table(f.Table))
		err = conn.Flush()
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
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

func (c chain) nft(tableName string) *nftables.Chain {
	out := &nftables.Chain{Table: table(tableName), Name: c.name}
	if c.hook != "" {
		out.Type = nftables.ChainType(c.kind)
		out.Hooknum = hooks[c.hook]
		out.Priority = new(nftables.ChainPriority(c.priority))
	}
	return out
}

func table(name string) *nftables.Table {
	return &nftables.Table{Name: name, Family: nftables.TableFamilyIPv4}
}

func portMap(tableName, name string) *nftables.Set {
	key := portKey
	if name == publishedAt {
		key = hostKey
	}
	return &nftables.Set{Table: table(tableName), Name: name, IsMap: true, Concatenation: true, KeyType: key, DataType: target}
}
