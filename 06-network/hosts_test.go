package network

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHostsFileNamesTheContainer(t *testing.T) {
	const loopback = "127.0.0.1\tlocalhost\n" +
		"::1\tlocalhost ip6-localhost ip6-loopback\n" +
		"fe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
	got := Hosts(netip.MustParseAddr("172.29.0.2"), []string{"web.lan", "web"}, []string{"db:10.0.0.1", "six:fd00::1"})
	require.Equal(t, loopback+"10.0.0.1\tdb\nfd00::1\tsix\n172.29.0.2\tweb.lan web\n", string(got))
	require.Equal(t, loopback, string(Hosts(netip.Addr{}, []string{"web"}, nil)), "without network")
}

func TestResolvConfLeavesLoopbackServersOut(t *testing.T) {
	for _, row := range []struct {
		what, host string
		want       DNS
		got        string
	}{
		{"kept", "# comment\nnameserver 192.0.2.1\nsearch lan example.org\noptions edns0\noptions trust-ad\n", DNS{},
			"nameserver 192.0.2.1\nsearch lan example.org\noptions edns0 trust-ad\n"},
		{"local resolver among others", "nameserver 127.0.0.1\nnameserver ::1\nnameserver 192.0.2.1", DNS{}, "nameserver 192.0.2.1\n"},
		{"local resolver only", "nameserver 127.0.0.53\nsearch lan\n", DNS{}, "nameserver 8.8.8.8\nnameserver 8.8.4.4\nsearch lan\n"},
		{"empty", "", DNS{}, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"},
		{"last search counts", "nameserver 192.0.2.1\nsearch a\ndomain b\n", DNS{}, "nameserver 192.0.2.1\nsearch b\n"},
		{"asked for", "nameserver 192.0.2.1\nsearch lan\noptions edns0\n",
			DNS{Servers: []string{"127.0.0.9"}, Search: []string{"x", "y"}, Options: []string{"ndots:2"}},
			"nameserver 127.0.0.9\nsearch x y\noptions ndots:2\n"},
	} {
		require.Equal(t, row.got, string(ResolvConf([]byte(row.host), row.want)), row.what)
	}
}

func TestHostsResolverIsLookedBehind(t *testing.T) {
	root := t.TempDir()
	write := func(name, content string) {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	require.Empty(t, hostResolvConf(root))
	write("etc/resolv.conf", "nameserver 127.0.0.53\n")
	require.Equal(t, "nameserver 127.0.0.53\n", string(hostResolvConf(root)))
	write("run/systemd/resolve/resolv.conf", "nameserver 192.0.2.7\n")
	require.Equal(t, "nameserver 192.0.2.7\n", string(hostResolvConf(root)))
	write("etc/resolv.conf", "nameserver 192.0.2.1\n")
	require.Equal(t, "nameserver 192.0.2.1\n", string(hostResolvConf(root)))
}
