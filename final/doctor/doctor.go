package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
)

// Verdict is how bad a finding is.
type Verdict string

// The three verdicts.
const (
	Fine    Verdict = "fine"
	Note    Verdict = "note"
	Problem Verdict = "problem"
)

// Finding is the result of one check.
type Finding struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Found   string  `json:"found"`            // what there is
	Means   string  `json:"means,omitempty"`  // why it matters
	Remedy  string  `json:"remedy,omitempty"` // what to do
}

// Patient is the machine to be looked at.
type Patient struct {
	Root     string // of its /proc and /sys; "/" but in tests
	DataRoot string // where the engine will keep its things
}

// checks in the order in which they are told; a machine without the first has
// no use for the last.
var checks = [...]struct {
	name  string
	check func(Patient) Finding
}{
	{"kernel", kernelVersion},
	{"privileges", privileges},
	{"confinement", confinement},
	{"namespaces", namespaceKinds},
	{"user namespaces", userNamespaces},
	{"cgroups", cgroupMode},
	{"controllers", cgroupControllers},
	{"layers", layers},
	{"nftables", firewall},
	{"other firewalls", otherFirewalls},
	{"forwarding", forwarding},
	{"disk", disk},
	{"inodes", inodes},
	{"clock", clock},
	{"nesting", nesting},
}

// Examine does all checks.
func Examine(p Patient) []Finding {
	var list []Finding
	for _, c := range checks {
		f := c.check(p)
		f.Name = c.name
		list = append(list, f)
	}
	return list
}

func fine(found string) Finding { return Finding{Verdict: Fine, Found: found} }

func note(found, means, remedy string) Finding {
	return Finding{Verdict: Note, Found: found, Means: means, Remedy: remedy}
}

func problem(found, means, remedy string) Finding {
	return Finding{Verdict: Problem, Found: found, Means: means, Remedy: remedy}
}

// Healthy tells whether there is no problem among the findings.
func Healthy(list []Finding) bool {
	return !slices.ContainsFunc(list, func(f Finding) bool { return f.Verdict == Problem })
}

// Write prints findings for a person.
func Write(w io.Writer, list []Finding) error {
	marks := map[Verdict]string{Fine: "✓", Note: "!", Problem: "✗"}
	for _, f := range list {
		if _, err := fmt.Fprintf(w, "%s %-20s %s\n", marks[f.Verdict], f.Name, f.Found); err != nil {
			return err
		}
		for _, more := range []struct{ label, text string }{{"means", f.Means}, {"remedy", f.Remedy}} {
			if f.Verdict == Fine || more.text == "" {
				continue
			}
			if _, err := fmt.Fprintf(w, "    %-7s %s\n", more.label, more.text); err != nil {
				return err
			}
		}
	}
	return nil
}

// WriteJSON prints findings for a program.
func WriteJSON(w io.Writer, list []Finding) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "\t")
	return e.Encode(list)
}

// isRoot tells whether a check may try, and not only look.
func isRoot() bool { return os.Geteuid() == 0 }
