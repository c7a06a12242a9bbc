package explain

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	chroot "cutaway/01-chroot"
	namespaces "cutaway/02-namespaces"
	cgroups "cutaway/03-cgroups"
	unionfs "cutaway/04-unionfs"
	network "cutaway/06-network"
	"cutaway/final/plan"
	"cutaway/final/rootfs"
)

// prologue is what every script begins with: functions for what a shell lacks.
//
//go:embed prologue.bash
var prologue string

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
	_, unshared := plan.Find[namespaces.Unshare](p)
	_, program := plan.Find[plan.Exec](p)
	if !moved || !unshared || !program {
		return errNoContainer
	}
	s := &script{plan: p, rename: renames(p, pivot.Root), told: map[string]bool{}}
	s.head(filepath.Dir(filepath.Dir(filepath.Dir(pivot.Root))))
	s.line("%s", prologue)
	s.directory()
	s.host(plan.Base, "The host's side of the network, once for all containers: made only if it is missing")
	s.host(plan.Root, "Its files")
	s.host(plan.Limits, "Its limits")
	s.host(plan.Wire, "Its network")
	s.enter()
	s.build()
	s.finish()
	_, err := io.WriteString(w, s.String())
	return err
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

// script is a script being written.
type script struct {
	strings.Builder
	plan   *plan.Plan
	rename *strings.Replacer
	told   map[string]bool // kinds of steps whose reason was given
	indent string
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

const rule = "# ---------------------------------------------------------------------------"

func (s *script) section(title string) {
	s.line("\n%s\n# %s\n%s", rule, title, rule)
}

// reason writes, once for each kind of step, why there is such a step.
func (s *script) reason(it *plan.Item) {
	name := it.Name()
	if s.told[name] {
		return
	}
	s.told[name] = true
	r := ReasonFor(name)
	if !strings.HasSuffix(s.String(), "{\n") {
		s.line("")
	}
	s.comment(fmt.Sprintf("%s: %s  %s", name, r.Brief(), strings.Join(r.Pages, " ")))
}

// head writes what the script is, and its variables.
func (s *script) head(dataRoot string) {
	s.line("#!/usr/bin/env bash")
	s.line("#\n# Container %.12s by hand: what \"cutaway explain\" lists, as commands.", s.plan.Container)
	s.line("#\n# Run it as root, in the network namespace of the host. It waits for the container, returns its exit")
	s.line("# code, and takes back what it made; Ctrl-C ends it. It must not run while the engine's own container")
	s.line("# of this ID does: both have the same writable layer, address and ports. Should it be killed by")
	s.line("# SIGKILL, what is below $T, the cgroup and the cable have to be removed by hand.")
	s.line("#\n# What is in single quotes is as the container has it, or for another bash; some functions are for that, too.")
	s.line("# shellcheck disable=SC1003,SC2016,SC2317")
	s.line("set -euo pipefail\numask 022\nPATH=$PATH:/usr/sbin:/sbin")
	s.line("\nID=%s", s.plan.Container)
	s.line("T=%s/by-hand-${ID:0:12}   # a directory for this script", rootfs.Quote(dataRoot))
	s.line("R=$T/rootfs   # the container's tree")
	group, grouped := plan.Find[cgroups.Create](s.plan)
	if grouped {
		s.line("CG=%s   # its cgroup, in each hierarchy", rootfs.Quote(strings.Replace(group.Name, s.plan.Container, "", 1))+"$ID.by-hand")
	}
	if _, ok := plan.Find[network.Veth](s.plan); ok {
		s.line("VETH=hand${ID:0:7}   # the host's end of its cable")
	}
	if m, ok := plan.Find[unionfs.Mount](s.plan); ok && m.Upper != "" {
		s.line("L=%s   # all layers", rootfs.Quote(m.Dir))
		s.line("U=$L/%s   # its writable layer", strings.ReplaceAll(m.Upper, s.plan.Container, "$ID"))
		s.line("W=$L/%s   # overlay's scratch directory", strings.ReplaceAll(m.Work, s.plan.Container, "$ID"))
	}
	s.line("export ID T R %s\n\n", map[bool]string{true: "CG"}[grouped])
}

// directory makes the script's own directory, unless the engine's container
// runs: then its cgroup exists.
func (s *script) directory() {
	s.section("A directory for all that is only for this script")
	s.line("")
	if group, ok := plan.Find[cgroups.Create](s.plan); ok && len(group.Paths) > 0 {
		s.line("if [ -d %s\"$ID\" ]; then", rootfs.Quote(strings.Replace(group.Paths[0], s.plan.Container, "", 1)))
		s.line("    echo \"the engine runs this container: stop it first\" >&2\n    exit 125\nfi")
	}
	s.line("mkdir --mode=700 \"$T\" # it exists if this script runs already")
	s.line("later rm -rf --one-file-system \"$T\"\nmkdir \"$R\"")
}

// host writes a lane of the host.
func (s *script) host(lane plan.Lane, title string) {
	items := s.plan.Of(lane)
	if len(items) == 0 {
		return
	}
	s.section(title)
	for _, it := range items {
		s.reason(it)
		s.step(it)
	}
}

// finish writes how the process is started, moved and awaited.
func (s *script) finish() {
	s.section("The process")
	s.line("\nmkfifo \"$T/go\" \"$T/ready\"")
	clone := "unshare --fork"
	for _, it := range s.plan.Of(plan.Process) {
		s.reason(it)
		if c, ok := it.Step.(plan.Clone); ok {
			clone = c.String()
		}
	}
	s.comment("Job control is off, so that the terminal is shared; <&0, or bash would give it /dev/null for input.")
	s.line("%s%s bash -euo pipefail -c enter 3<\"$T/go\" 4>\"$T/ready\" <&0 &", s.joins(), clone)
	s.line("%s", birth)
	if s.hasTerminal() {
		s.line("%s", hold)
	}
	s.line("%s", epilogue)
}

// birth is what follows the start of the process.
const birth = `JOB=$!
exec 5>"$T/go" 6<"$T/ready"
read -r PID <&6                # as the host numbers it`

// hold opens a terminal for the process and copies between it and the script's
// own, as a shim does.
const hold = `
read -r _ <&6                  # its /dev/pts is there
nsenter --target "$PID" --mount unshare --mount bash -euo pipefail -c terminal 5>&- 6<&- <&0 &
TERMINAL=$!
later hang_up
until [ -s "$T/holder" ]; do
    kill -0 "$TERMINAL"
    sleep 0.05
done
echo >&5                       # the terminal is there
`

// epilogue goes with prologue.bash.
const epilogue = `read -r _ <&6                  # all is in place, and it waits

# chroot.Pivot, from outside: it moves the root of every process in that mount namespace. The old tree then lies on
# top of the new one; whoever comes in by nsenter is in it, with all of the host's tools, and takes it away.
nsenter --target "$PID" --mount bash -c 'cd "$1" && pivot_root . .' bash "$R"
nsenter --target "$PID" --mount umount --lazy /
[ "/proc/$PID/root" -ef "$R" ] # it is where it should be

echo >&5                       # go
exec 5>&- 6<&-
status=0
wait "$JOB" || status=$?
PID='' JOB=''                  # from here on the numbers may be another's
exit "$status"`
