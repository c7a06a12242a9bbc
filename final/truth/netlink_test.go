package truth

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// socket is a netlink socket: it stays in the namespace where it was made,
// whatever thread uses it.
type socket struct {
	netns string
	link  string // the link that was last asked for by name
}

// strace decodes messages of its own network namespace:
//
//	{nlmsg_len=32, nlmsg_type=RTM_NEWLINK, …}, {ifi_family=AF_UNSPEC, …, ifi_flags=IFF_UP, ifi_change=0x1}
//
// Of another one's sockets it does not know the protocol, and shows bytes:
//
//	{nlmsg_len=32, nlmsg_type=0x10 /* NLMSG_??? */, …}, "\x00\x00\x00\x00\x01\x00…"
var (
	messageForm = regexp.MustCompile(`nlmsg_type=([^,]+), nlmsg_flags=([^,]+)`)
	ifnameForm  = regexp.MustCompile(`IFLA_IFNAME\}, "([^"]+)"`)
	bytesForm   = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})+)"`)
	prefixForm  = regexp.MustCompile(`ifa_prefixlen=(\d+)`)
	localForm   = regexp.MustCompile(`IFA_LOCAL\}, inet_addr\("([^"]+)"\)`)
	gatewayForm = regexp.MustCompile(`RTA_GATEWAY\}, inet_addr\("([^"]+)"\)`)
)

// rtnetlink is the names of the numbers (linux/rtnetlink.h).
var rtnetlink = map[string]string{
	"0x10": "RTM_NEWLINK", "0x11": "RTM_DELLINK", "0x12": "RTM_GETLINK", "0x13": "RTM_SETLINK",
	"0x14": "RTM_NEWADDR", "0x15": "RTM_DELADDR", "0x16": "RTM_GETADDR",
	"0x18": "RTM_NEWROUTE", "0x19": "RTM_DELROUTE", "0x1a": "RTM_GETROUTE",
}

// sent finds the netlink messages in a sendto or sendmsg, and a descriptor that
// is passed on.
func sent(w *witness, c call) {
	all := strings.Join(c.args[1:], ", ")
	if strings.Contains(all, "SCM_RIGHTS") {
		w.inChild(c, "send descriptor")
	}
	_, name := descriptor(c.arg(0))
	s := w.sockets[name]
	if s == nil {
		s = &socket{}
	}
	at := messageForm.FindAllStringSubmatchIndex(all, -1)
	for i, m := range at {
		end := len(all)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		kind, _, _ := strings.Cut(all[m[2]:m[3]], " ")
		msg := message{kind: kind, flags: all[m[4]:m[5]], body: all[m[5]:end]}
		what, soft := msg.say(s)
		if what == "" {
			continue
		}
		f := w.fact(c, what)
		f.raw, f.soft = msg.body, soft
		w.facts = append(w.facts, f)
	}
}

type message struct{ kind, flags, body string }

// say is what a message asks for, and whether it only asks.
func (m message) say(s *socket) (what string, soft bool) {
	if name, ok := rtnetlink[m.kind]; ok {
		m.kind = name
	}
	if nft, ok := strings.CutPrefix(m.kind, "NFNL_SUBSYS_NFTABLES<<8|NFT_MSG_"); ok {
		return "nft " + nft, strings.HasPrefix(nft, "GET")
	}
	if ct, ok := strings.CutPrefix(m.kind, "NFNL_SUBSYS_CTNETLINK<<8|IPCTNL_MSG_CT_"); ok {
		return "conntrack " + ct, ct == "GET"
	}
	body := []byte(unhex(m.body))
	switch m.kind {
	case "NFNL_MSG_BATCH_BEGIN", "NFNL_MSG_BATCH_END":
		return "", true
	case "RTM_GETLINK":
		s.link = m.first(ifnameForm, strings.TrimRight(string(attribute(body, 16, 3)), "\x00")) // IFLA_IFNAME
		return "look at link " + s.link + in(s.netns), true
	case "RTM_NEWLINK":
		return m.newLink(s, body), false
	case "RTM_SETLINK":
		return "change link " + s.link + in(s.netns), false
	case "RTM_NEWADDR":
		bits := ""
		if len(body) > 1 {
			bits = strconv.Itoa(int(body[1]))
		}
		return fmt.Sprintf("add address %s/%s to %s%s", m.first(localForm, ip(attribute(body, 8, 2))), m.first(prefixForm, bits), s.link, in(s.netns)), false
	case "RTM_NEWROUTE":
		to := "default"
		if len(body) > 1 && body[1] != 0 || len(body) == 0 && !strings.Contains(m.body, "rtm_dst_len=0") {
			to = "other"
		}
		return fmt.Sprintf("add route %s via %s over %s%s", to, m.first(gatewayForm, ip(attribute(body, 12, 5))), s.link, in(s.netns)), false
	}
	return m.kind + " " + s.link + in(s.netns), strings.HasPrefix(m.kind, "RTM_GET")
}

// newLink is a new link, or one that is switched on.
func (m message) newLink(s *socket, body []byte) string {
	if strings.Contains(m.flags, "NLM_F_CREATE") {
		s.link = m.first(ifnameForm, strings.TrimRight(string(attribute(body, 16, 3)), "\x00"))
		return "add link " + s.link + in(s.netns)
	}
	on := strings.Contains(m.body, "ifi_flags=IFF_UP, ifi_change=0x1")
	if len(body) >= 16 {
		on = binary.NativeEndian.Uint32(body[8:]) == 1 && binary.NativeEndian.Uint32(body[12:]) == 1
	}
	if on {
		return "set link " + s.link + " up" + in(s.netns)
	}
	return "change link " + s.link + in(s.netns)
}

// first is what the expression finds in a decoded body, or else what was found
// in the bytes.
func (m message) first(form *regexp.Regexp, other string) string {
	if found := form.FindStringSubmatch(m.body); found != nil {
		return found[1]
	}
	return other
}

// in says which namespace is meant.
func in(netns string) string {
	if netns == "" {
		return " here"
	}
	return " in " + path.Base(netns)
}

func ip(b []byte) string {
	a, _ := netip.AddrFromSlice(b)
	return a.String()
}

// unhex is the first string of bytes in s; "" if it was decoded.
func unhex(s string) string {
	if m := bytesForm.FindStringSubmatch(s); m != nil && strings.Index(s, m[0]) < len(", nlmsg_seq=4294967295, nlmsg_pid=4294967295}, ") {
		return text(`"` + m[1] + `"`)
	}
	return ""
}

// hexOf is bytes as strace writes them.
func hexOf(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		fmt.Fprintf(&s, `\x%02x`, c)
	}
	return s.String()
}

// attribute is the value of an rtnetlink attribute after a header (rtnetlink(7)).
func attribute(body []byte, header int, kind uint16) []byte {
	for i := header; i+4 <= len(body); {
		length := int(binary.NativeEndian.Uint16(body[i:]))
		if length < 4 || i+length > len(body) {
			return nil
		}
		if binary.NativeEndian.Uint16(body[i+2:])&0x3fff == kind {
			return body[i+4 : i+length]
		}
		i += (length + 3) &^ 3
	}
	return nil
}
