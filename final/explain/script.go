package explain

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	chroot "cutaway/01-chroot"
	cgroups "cutaway/03-cgroups"
	network "cutaway/06-network"
	"cutaway/final/plan"
	"cutaway/final/rootfs"
)

// skeleton is the script but for what the steps say, and prologue the functions
// for what a shell lacks.
var (
	//go:embed script.tmpl
	skeleton string
	//go:embed prologue.bash
	prologue string
)

// errNoContainer is a plan that is not that of a container's first process.
var errNoContainer = errors.New("this plan does not make a container: it has no mount namespace, root or program")

// Script writes a bash script that builds the same container by hand, waits for
// it, returns its exit code and takes everything back.
//
// It needs util-linux, iproute2, nftables, coreutils and awk, and no engine. It
// never meets the engine's own container, having a directory, a cgroup, a
// network namespace and a cable of its own; but it uses the same layers,
// address and ports, and refuses to start while the engine's container runs. A
// plan without a mount namespace or a root is an error.
//
// # How it works
//
// The difficulty is PID 1: it must become the program without a helper of the
// image, and with nothing of the host's in hand. A bash that was loaded from
// the host's tree waits, while this script moves its root:
//
//	script                        PID 1
//	  │ cgroup, netns, veth         ·
//	  ├─ unshare ─────────────────▶ bash: enter: its number, then the cgroup
//	  │◀──────── its number ────────┤
//	  │                             bash: build: mounts, below $R
//	  │                             setpriv: capabilities, user
//	  │◀──────── ready ─────────────bash: waits
//	  │ nsenter: pivot_root . .     │  its root is the container's
//	  │ nsenter: umount /           │  the old tree, lying on top, is gone
//	  ├───────── go ───────────────▶exec
//	  │◀──────── exit code ─────────program
func Script(w io.Writer, p *plan.Plan) error {
	pivot, moved := plan.Find[chroot.Pivot](p)
	s := &script{plan: p, ID: p.Container, First: map[string]plan.Step{}, told: map[string]bool{}}
	for _, it := range slices.Backward(p.Items) {
		s.First[it.Name()] = it.Step
	}
	if !moved || s.First["namespaces.Unshare"] == nil || s.First["plan.Exec"] == nil {
		return errNoContainer
	}
	s.rename = renames(p, pivot.Root)
	s.DataRoot = filepath.Dir(filepath.Dir(filepath.Dir(pivot.Root)))
	t, err := template.New("script").Funcs(template.FuncMap{
		"prologue": func() string { return prologue },
		"quote":    rootfs.Quote, "privileges": privileges, "has": has, "unwanted": unwanted,
		"parent": func(path string) string { return rootfs.Quote(strings.Replace(path, p.Container, "", 1)) },
		"named":  func(path string) string { return strings.ReplaceAll(path, p.Container, "$ID") },
	}).Parse(skeleton)
	if err != nil {
		return err
	}
	return t.Execute(w, s)
}

// renames exchanges what belongs to the engine's container for placeholders.
func renames(p *plan.Plan, root string) *strings.Replacer {
	pairs := []string{root, "/__R__", filepath.Dir(root) + "/", "/__T__/"}
	if ns, ok := plan.Find[network.Namespace](p); ok {
		pairs = append(pairs, ns.Path, "/__T__/netns")
	}
	if group, ok := plan.Find[cgroups.Create](p); ok {
		pairs = append(pairs, group.Name, "__CG__")
	}
	if cable, ok := plan.Find[network.Veth](p); ok {
		pairs = append(pairs, cable.Name, "__VETH__")
	}
	return strings.NewReplacer(pairs...)
}

// script is what the skeleton is filled with: of the plan as a whole, and then,
// lane by lane, what the steps say.
type script struct {
	plan   *plan.Plan
	rename *strings.Replacer
	told   map[string]bool // kinds of steps whose reason was given

	ID, DataRoot string
	First        map[string]plan.Step // of each kind, by name
	Clone        string

	strings.Builder // the part that is being written
	indent          string
}

// part writes one part of the script with this indentation.
func (s *script) part(indent string, write func()) string {
	s.Reset()
	s.indent = indent
	write()
	return s.String()
}

// line writes lines with the present indentation. Here documents have none.
func (s *script) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if strings.Contains(text, "<<'EOF'") {
		s.WriteString(s.indent + text + "\n")
		return
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		s.WriteString(strings.TrimRight(s.indent+line, " ") + "\n")
	}
}

// comment writes text behind #, broken between words.
func (s *script) comment(text string) {
	out := &page{Options: Options{Width: 112}}
	out.wrap(text, s.indent+"# ", Plain)
	s.WriteString(out.String())
}

// reason writes, once for each kind of step, why there is such a step.
func (s *script) reason(it *plan.Item) {
	name := it.Name()
	if s.told[name] {
		return
	}
	s.told[name] = true
	r := ReasonFor(name)
	if s.Len() > 0 {
		s.line("")
	}
	s.comment(fmt.Sprintf("%s: %s  %s", name, r.Brief(), strings.Join(r.Pages, " ")))
}

// Host is a lane of the host, below its title.
func (s *script) Host(lane plan.Lane, title string) string {
	items := s.plan.Of(lane)
	if len(items) == 0 {
		return ""
	}
	const rule = "# ---------------------------------------------------------------------------"
	return s.part("", func() {
		s.line("\n%s\n# %s\n%s", rule, title, rule)
		for _, it := range items {
			s.reason(it)
			s.step(it)
		}
	})
}

// Process is why the process is made as it is; how, it leaves in Clone.
func (s *script) Process() string {
	return s.part("", func() {
		s.Clone = "unshare --fork"
		for _, it := range s.plan.Of(plan.Process) {
			s.reason(it)
			if c, ok := it.Step.(plan.Clone); ok {
				s.Clone = c.String()
			}
		}
	})
}
