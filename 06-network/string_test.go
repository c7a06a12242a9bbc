package network

import (
	"encoding/json"
	"net/netip"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"cutaway/chapters/lab"
)

// TestCommandsBuildWhatStepsBuild does the steps, and then their commands in
// bash, and compares what the kernel has.
func TestCommandsBuildWhatStepsBuild(t *testing.T) {
	for _, program := range []string{"bash", "ip", "bridge", "nft", "nsenter", "sysctl", "unshare"} {
		lab.NeedProgram(t, program)
	}
	newHost(t)
	n, err := Open(OpenOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	e := Endpoint{ID: newID(), NetNS: filepath.Join(t.TempDir(), "it's a path", "net"), Address: netip.MustParseAddr("172.29.3.4"),
		Ports: []Port{port(t, "0.0.0.0:8080/tcp"), port(t, "127.0.0.1:8081/udp")}}
	steps := append(n.Base(), n.Steps(e)...)

	do(t, steps)
	done := facts(t, n, e)
	undo(t, steps)
	requireGone(t, steps)

	for _, s := range steps {
		shell(t, s.String())
	}
	require.Equal(t, done, facts(t, n, e))
	undo(t, steps)
}

// requireGone waits for the kernel to have deleted the cable.
func requireGone(t *testing.T, steps []Step) {
	t.Helper()
	require.Eventually(t, func() bool {
		return exec.Command("ip", "link", "show", cable(box{steps: steps}).Name).Run() != nil
	}, patience, moment/10)
}

func facts(t *testing.T, n *Network, e Endpoint) string {
	t.Helper()
	inside := in(e.NetNS)
	return shell(t, strings.Join([]string{
		"nft list ruleset",
		"ip -br link show master " + n.Bridge() + " | sed 's/@[^ ]*//; s/[0-9a-f:]\\{17\\}//'",
		"bridge -d link | grep -o hairpin.o.",
		"ip -br -4 address; ip -br link show " + n.Bridge(),
		"ip -4 address show " + n.Bridge() + " | grep inet",
		"sysctl net.ipv4.ip_forward net.ipv4.conf." + n.Bridge() + ".route_localnet",
		inside + "ip -br link | sed 's/@[^ ]*//'",
		inside + "ip -4 address | grep inet",
		inside + "ip route",
	}, "\n"))
}

// shell runs bash on the host, that is, from this thread.
func shell(t *testing.T, script string) string {
	t.Helper()
	out, err := exec.Command("bash", "-e", "-c", script).CombinedOutput()
	require.NoError(t, err, "%s\n%s", script, out)
	return string(out)
}

// TestStepsSurviveJSON: an engine that was killed undoes the steps that it finds in its journal.
func TestStepsSurviveJSON(t *testing.T) {
	n := openSubnet(t, t.TempDir(), "10.0.0.0/24")
	e := Endpoint{ID: newID(), NetNS: "/run/x", Address: netip.MustParseAddr("10.0.0.2"), Ports: []Port{port(t, "127.0.0.1:8081/udp"), {Protocol: "tcp"}}}
	for _, s := range append(n.Base(), n.Steps(e)...) {
		data, err := json.Marshal(s)
		require.NoError(t, err)
		again := reflect.New(reflect.TypeOf(s))
		require.NoError(t, json.Unmarshal(data, again.Interface()))
		require.Equal(t, s, again.Elem().Interface())
	}
}

func TestWordsAreQuotedForBash(t *testing.T) {
	for _, s := range []string{"", "plain", "two words", "it's", "$HOME", "a\nb", `\`, "*", "/run/x-1.2:3@4"} {
		out, err := exec.Command("bash", "-c", "printf %s "+quote(s)).Output()
		require.NoError(t, err)
		require.Equal(t, s, string(out))
	}
}
