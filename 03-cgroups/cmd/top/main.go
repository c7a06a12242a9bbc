// Top shows the tree of cgroups and what each group uses, live.
//
//	sudo go run ./03-cgroups/cmd/top [-n TIMES] [-delay 1s] [-all] [GROUP]
//
// With v1 a group is in several trees; here it is one line.
package main

import (
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	cgroups "cutaway/03-cgroups"

	"golang.org/x/term"
)

func main() {
	times := flag.Int("n", 0, "`times` to look; 0: until interrupted")
	delay := flag.Duration("delay", time.Second, "`time` between two looks")
	all := flag.Bool("all", false, "also groups without processes")
	flag.Parse()
	sys, err := cgroups.Detect()
	if err != nil {
		fmt.Fprintln(os.Stderr, "top:", err)
		os.Exit(1)
	}
	t := top{sys: sys, under: flag.Arg(0), all: *all}
	before := t.look()
	for n := 1; *times == 0 || n <= *times; n++ {
		time.Sleep(*delay)
		now := t.look()
		if term.IsTerminal(int(os.Stdout.Fd())) && *times != 1 {
			fmt.Print("\033[H\033[2J") // home, and clear
		}
		t.print(os.Stdout, before, now)
		before = now
	}
}

// top is what to show.
type top struct {
	sys   *cgroups.System
	under string // the part of the tree; "" is all
	all   bool
}

// sample is what a group had used at a moment.
type sample struct {
	at     time.Time
	stats  cgroups.Stats
	procs  int
	waited time.Duration // for memory; below 0: not told
}

// look samples every group, by its path.
func (t top) look() map[string]sample {
	groups := map[string][]string{} // path below the base → its directory in each tree
	for _, h := range t.sys.Hierarchies {
		_ = filepath.WalkDir(filepath.Join(h.Base, t.under), func(dir string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				name, _ := filepath.Rel(h.Base, dir)
				groups[name] = append(groups[name], dir)
			}
			return nil // groups come and go
		})
	}
	samples := map[string]sample{}
	for name, dirs := range groups {
		g := cgroups.Group{Paths: dirs}
		stats, err := g.Stats()
		if err != nil {
			continue
		}
		pids, _ := g.Procs()
		if t.all || len(pids) > 0 {
			s := sample{time.Now(), stats, len(pids), -1}
			if p, err := g.Pressure("memory"); err == nil {
				s.waited = p.Some
			}
			samples[name] = s
		}
	}
	return samples
}

// print draws the tree; processor time and waiting are those between the two looks.
func (t top) print(to io.Writer, before, now map[string]sample) {
	fmt.Fprintf(to, "cgroup %s, %d groups, controllers: %s\n\n", t.sys.Mode(), len(now), strings.Join(t.sys.Controllers(), " "))
	w := tabwriter.NewWriter(to, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "GROUP\tPROCESSES\tCPU\tTHROTTLED\tMEMORY\tLIMIT\tWAITS\tOOM KILLS")
	for _, name := range slices.Sorted(maps.Keys(now)) {
		s, b := now[name], before[name]
		limit, busy, waits := "-", "-", "-"
		if s.stats.Memory.Max > 0 {
			limit = size(s.stats.Memory.Max)
		}
		part := func(d time.Duration) string { return fmt.Sprintf("%.1f%%", 100*float64(d)/float64(s.at.Sub(b.at))) }
		if !b.at.IsZero() {
			busy = part(s.stats.CPU.Usage - b.stats.CPU.Usage)
		}
		if !b.at.IsZero() && s.waited >= 0 {
			waits = part(s.waited - b.waited)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%v\t%s\t%s\t%s\t%d\n", indent(name), s.procs, busy,
			s.stats.CPU.ThrottledTime.Round(time.Millisecond), size(s.stats.Memory.Current-s.stats.Memory.Inactive), limit, waits, s.stats.OOMKills)
	}
	_ = w.Flush()
}

func indent(name string) string {
	if name == "." {
		return "/"
	}
	return strings.Repeat("  ", strings.Count(name, "/")+1) + filepath.Base(name)
}

func size(n uint64) string { return fmt.Sprintf("%.1fM", float64(n)/(1<<20)) }
