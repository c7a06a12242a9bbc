package cgroups

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rule reads "+c 1:3 rw" or "-a".
func rule(s string) DeviceRule {
	r := DeviceRule{Allow: s[0] == '+', Type: "a", Access: "rwm"}
	f := strings.Fields(s[1:])
	if len(f) < 3 {
		return r
	}
	r.Type, r.Access = f[0], f[2]
	major, minor, _ := strings.Cut(f[1], ":")
	r.Major, r.Minor = deviceNumber(major), deviceNumber(minor)
	return r
}

func deviceNumber(s string) *int64 {
	if s == "*" {
		return nil
	}
	n := int64(s[0] - '0')
	return &n
}

// TestDeviceRules makes and opens nodes in groups with rules. The v2 program is
// tried on v1 machines too, if they have a v2 tree beside.
func TestDeviceRules(t *testing.T) {
	for name, row := range map[string]struct {
		rules  string // separated by commas
		tries  string // "m c 1:3" makes a node, "rw c 1:3" opens /dev/null
		denied string // what of it is refused
		only   string // "v2": v1 cannot say it
	}{
		"without rules all is free":  {"", "r c 1:5,m b 8:0", "", ""},
		"nothing is left":            {"-a", "r c 1:3,w c 1:3,m c 1:3,m b 8:0", "r c 1:3,w c 1:3,m c 1:3,m b 8:0", ""},
		"one device":                 {"-a,+c 1:3 rwm", "rw c 1:3,m c 1:3,r c 1:5,m c 1:5,m b 1:3", "r c 1:5,m c 1:5,m b 1:3", ""},
		"make but not use":           {"-a,+c *:* m,+b *:* m", "m c 1:5,m b 8:0,r c 1:5,w c 1:5", "r c 1:5,w c 1:5", ""},
		"any minor":                  {"-a,+c 1:* r", "r c 1:3,r c 1:5,r c 1:7,w c 1:3,m c 5:0", "w c 1:3,m c 5:0", ""},
		"two rules add up":           {"-a,+c 1:3 r,+c 1:3 w", "rw c 1:3,m c 1:3", "m c 1:3", ""},
		"a part is not enough":       {"-a,+c 1:3 r", "r c 1:3,rw c 1:3", "rw c 1:3", ""},
		"the last rule decides":      {"-a,+c 1:3 rwm,-c 1:3 w", "r c 1:3,w c 1:3,rw c 1:3", "w c 1:3,rw c 1:3", ""},
		"all again":                  {"-a,+a", "r c 1:3,m b 8:0", "", ""},
		"all but one":                {"-c 1:5 rwm", "r c 1:3,r c 1:5,m b 8:0", "r c 1:5", "v2"},
		"a hole in what was allowed": {"-a,+c 1:* rw,-c 1:5 r", "r c 1:3,r c 1:5,w c 1:5", "r c 1:5", "v2"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, Limits{})
			var rules []DeviceRule
			for _, s := range strings.FieldsFunc(row.rules, func(r rune) bool { return r == ',' }) {
				rules = append(rules, rule(s))
			}
			for i, h := range b.sys.Hierarchies {
				bpf := h.Version == V2
				if !bpf && (row.only == "v2" || len(h.Controllers) != 1 || h.Controllers[0] != "devices") {
					continue
				}
				require.NoError(t, Devices{Path: b.Paths[i], BPF: bpf, Rules: rules}.Do())
				requireAccess(t, b, row.tries, row.denied)
			}
		})
	}
}

func requireAccess(t *testing.T, b box, tries, denied string) {
	t.Helper()
	out, err := b.run("access", tries)
	require.NoError(t, err, out)
	var refused []string
	results := strings.Split(strings.TrimSpace(out), "\n")
	for i, try := range strings.Split(tries, ",") {
		if results[i] != "ok" {
			require.Equal(t, "operation not permitted", results[i], try)
			refused = append(refused, try)
		}
	}
	require.Equal(t, denied, strings.Join(refused, ","))
}

func TestDevicesAreAmongTheSteps(t *testing.T) {
	b := newBox(t, Limits{Devices: []DeviceRule{rule("-a"), rule("+c 1:3 rwm")}})
	requireAccess(t, b, "rw c 1:3,r c 1:5", "r c 1:5")
	last := b.steps[len(b.steps)-1].String()
	if b.v2("devices") {
		require.Contains(t, last, "bpftool cgroup attach")
	} else {
		require.Contains(t, last, "echo 'c 1:3 rwm' > "+b.sys.Hierarchies[0].Base[:len("/sys/fs/cgroup")])
	}
}
