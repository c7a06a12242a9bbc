package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"
)

// firewall: ports are published and addresses masqueraded by nftables.
func firewall(Patient) Finding {
	if !isRoot() {
		return fine("only root can ask")
	}
	c, err := nftables.New()
	var tables []*nftables.Table
	if err == nil {
		tables, err = c.ListTables()
	}
	if err != nil {
		return problem(fmt.Sprintf("cannot be asked: %v", err), "no container can have the bridge network; --network none and host work",
			"modprobe nf_tables, or a kernel with CONFIG_NF_TABLES")
	}
	return fine(fmt.Sprintf("%d tables", len(tables)))
}

// otherFirewalls: all chains of a hook see a packet, and one drop is final. That
// nftables cannot be asked the check before tells.
func otherFirewalls(Patient) Finding {
	if !isRoot() {
		return fine("only root can ask")
	}
	var chains []*nftables.Chain
	if c, err := nftables.New(); err == nil {
		chains, _ = c.ListChains()
	}
	var drops []string
	for _, ch := range chains {
		if ch.Hooknum != nil && *ch.Hooknum == *nftables.ChainHookForward && ch.Policy != nil && *ch.Policy == nftables.ChainPolicyDrop {
			drops = append(drops, ch.Table.Name+" "+ch.Name)
		}
	}
	slices.Sort(drops)
	if drops != nil {
		return note("policy drop for forwarded packets in: "+strings.Join(drops, ", "),
			"containers may not reach the outside, nor be reached by published ports from there (Docker sets such a policy)",
			"iptables -I DOCKER-USER -i cutaway0 -j ACCEPT; iptables -I DOCKER-USER -o cutaway0 -j ACCEPT; or the same in your firewall")
	}
	return fine("none that drops what is forwarded")
}

// forwarding: the engine switches it on; somebody may switch it off.
func forwarding(p Patient) Finding {
	if p.read("proc/sys/net/ipv4/ip_forward") != "1" {
		return fine("off; the engine switches it on when it starts")
	}
	return fine("on")
}
