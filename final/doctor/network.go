package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"
)

// firewall: ports are published and addresses masqueraded by nftables.
func firewall(Patient) Finding {
	f := Finding{Name: "nftables", Verdict: Fine}
	if !isRoot() {
		f.Found = "only root can ask"
		return f
	}
	c, err := nftables.New()
	var tables []*nftables.Table
	if err == nil {
		tables, err = c.ListTables()
	}
	if err != nil {
		f.Verdict, f.Found = Problem, fmt.Sprintf("cannot be asked: %v", err)
		f.Means, f.Remedy = "no container can have the bridge network; --network none and host work", "modprobe nf_tables, or a kernel with CONFIG_NF_TABLES"
		return f
	}
	f.Found = fmt.Sprintf("%d tables", len(tables))
	return f
}

// otherFirewalls: all chains of a hook see a packet, and one drop is final.
func otherFirewalls(Patient) Finding {
	f := Finding{Name: "other firewalls", Verdict: Fine, Found: "none that drops what is forwarded"}
	if !isRoot() {
		f.Found = "only root can ask"
		return f
	}
	c, err := nftables.New()
	if err != nil {
		return f // told by the check before
	}
	chains, err := c.ListChains()
	if err != nil {
		return f
	}
	var drops []string
	for _, ch := range chains {
		if ch.Hooknum != nil && *ch.Hooknum == *nftables.ChainHookForward && ch.Policy != nil && *ch.Policy == nftables.ChainPolicyDrop {
			drops = append(drops, ch.Table.Name+" "+ch.Name)
		}
	}
	slices.Sort(drops)
	if drops != nil {
		f.Verdict, f.Found = Note, "policy drop for forwarded packets in: "+strings.Join(drops, ", ")
		f.Means = "containers may not reach the outside, nor be reached by published ports from there (Docker sets such a policy)"
		f.Remedy = "iptables -I DOCKER-USER -i cutaway0 -j ACCEPT; iptables -I DOCKER-USER -o cutaway0 -j ACCEPT; or the same in your firewall"
	}
	return f
}

// forwarding: the engine switches it on; somebody may switch it off.
func forwarding(p Patient) Finding {
	f := Finding{Name: "forwarding", Verdict: Fine, Found: "on"}
	if p.read("proc/sys/net/ipv4/ip_forward") != "1" {
		f.Found = "off; the engine switches it on when it starts"
	}
	return f
}
