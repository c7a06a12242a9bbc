package network

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Hosts returns a container's /etc/hosts (hosts(5)): the names of the loopback,
// then address with names if it is valid, then extra entries written
// "name:address" as in `docker run --add-host`.
func Hosts(address netip.Addr, names, extra []string) []byte {
	var b bytes.Buffer
	b.WriteString("127.0.0.1\tlocalhost\n" +
		"::1\tlocalhost ip6-localhost ip6-loopback\n" +
		"fe00::\tip6-localnet\n" +
		"ff00::\tip6-mcastprefix\n" +
		"ff02::1\tip6-allnodes\n" +
		"ff02::2\tip6-allrouters\n")
	for _, e := range extra {
		name, addr, _ := strings.Cut(e, ":")
		fmt.Fprintf(&b, "%s\t%s\n", addr, name)
	}
	if address.IsValid() && len(names) > 0 {
		fmt.Fprintf(&b, "%s\t%s\n", address, strings.Join(names, " "))
	}
	return b.Bytes()
}

// publicDNS is what Docker falls back on too: Google's public resolvers.
var publicDNS = []string{"8.8.8.8", "8.8.4.4"}

// DNS is what a container asks for in its /etc/resolv.conf; what is empty is
// taken from the host's.
type DNS struct {
	Servers, Search, Options []string
}

// HostResolvConf returns the host's resolv.conf(5); where systemd-resolved has put
// nothing but itself there (127.0.0.53), what that one asks in turn. A host
// without any has an empty one.
func HostResolvConf() []byte { return hostResolvConf("/") }

func hostResolvConf(root string) []byte {
	own, _ := os.ReadFile(filepath.Join(root, "etc/resolv.conf"))
	if !slices.Equal(parseResolvConf(own).Servers, []string{"127.0.0.53"}) {
		return own
	}
	if upstream, err := os.ReadFile(filepath.Join(root, "run/systemd/resolve/resolv.conf")); err == nil {
		return upstream
	}
	return own
}

// ResolvConf returns a container's /etc/resolv.conf (resolv.conf(5)) made from
// the host's. Name servers at loopback addresses are left out, as in the
// container's namespace nobody answers there; when none is left, public ones
// are named.
func ResolvConf(host []byte, want DNS) []byte {
	have := parseResolvConf(host)
	servers := slices.DeleteFunc(have.Servers, isLoopback)
	if len(servers) == 0 {
		servers = publicDNS
	}
	var b bytes.Buffer
	for _, s := range first(want.Servers, servers) {
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	if search := first(want.Search, have.Search); len(search) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(search, " "))
	}
	if options := first(want.Options, have.Options); len(options) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(options, " "))
	}
	return b.Bytes()
}

// parseResolvConf reads lines such as
//
//	nameserver 127.0.0.53
//	search lan example.org
//	options edns0 trust-ad
//
// Of several search lines the last one counts; options add up.
func parseResolvConf(data []byte) DNS {
	var d DNS
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "nameserver":
			d.Servers = append(d.Servers, words[1])
		case "domain", "search":
			d.Search = words[1:]
		case "options":
			d.Options = append(d.Options, words[1:]...)
		}
	}
	return d
}

func isLoopback(server string) bool {
	a, err := netip.ParseAddr(server)
	return err != nil || a.IsLoopback()
}

func first(a, b []string) []string {
	if len(a) > 0 {
		return a
	}
	return b
}
