package exercises

import (
	"fmt"
	"os"
	"path/filepath"

	cgroups "cutaway/03-cgroups"
	"cutaway/chapters/exercise"
)

// phrase is what has to be written to a file for some limits.
type phrase struct {
	version    cgroups.Version
	file, want string
	limits     cgroups.Limits
	hint       string
}

func gradeTranslate(g *exercise.G) {
	memory, swap := int64(exercise.Number(2000, 3000))*4096, int64(exercise.Number(100, 1000))*4096
	both := cgroups.Limits{MemoryMax: memory, MemorySwap: memory + swap}
	quota := int64(exercise.Number(20_000, 80_000))
	const memsw, max, cfs, cpu = "memory.memsw.limit_in_bytes", "memory.swap.max", "cpu.cfs_quota_us", "cpu.max"
	const together, alone = "In v1 the number is that of memory and swap together.", "In v2 the number is that of swap alone."
	const pair = "cpu.max takes both numbers at once, whichever was asked for."
	for _, p := range []phrase{
		{cgroups.V1, memsw, fmt.Sprint(memory + swap), both, together},
		{cgroups.V2, max, fmt.Sprint(swap), both, alone},
		{cgroups.V1, memsw, fmt.Sprint(2 * memory), cgroups.Limits{MemoryMax: memory}, "Nobody said how much swap: then it is as much as memory. " + together},
		{cgroups.V2, max, fmt.Sprint(memory), cgroups.Limits{MemoryMax: memory}, "Nobody said how much swap: then it is as much as memory. " + alone},
		{cgroups.V2, max, "0", cgroups.Limits{MemoryMax: memory, MemorySwap: memory}, "No swap at all is a limit, too."},
		{cgroups.V1, memsw, "-1", cgroups.Limits{MemoryMax: memory, MemorySwap: -1}, "-1 is v1's word for no limit."},
		{cgroups.V2, max, "max", cgroups.Limits{MemoryMax: -1}, "Twice as much as without limit is without limit; v2's word for it is max."},
		{cgroups.V1, cfs, fmt.Sprint(quota), cgroups.Limits{CPUQuota: quota, CPUPeriod: 200_000}, "The period has a row of its own in v1."},
		{cgroups.V2, cpu, fmt.Sprint(quota, " 200000"), cgroups.Limits{CPUQuota: quota, CPUPeriod: 200_000}, pair},
		{cgroups.V2, cpu, fmt.Sprint(quota, " 100000"), cgroups.Limits{CPUQuota: quota}, pair},
		{cgroups.V2, cpu, "max 200000", cgroups.Limits{CPUPeriod: 200_000}, pair},
		{cgroups.V2, cpu, "max 100000", cgroups.Limits{CPUQuota: -1}, pair},
		{cgroups.V1, cfs, "-1", cgroups.Limits{CPUPeriod: 200_000}, "-1 is v1's word for no limit."},
	} {
		sys := &cgroups.System{Hierarchies: []cgroups.Hierarchy{{Version: p.version, Base: "/nowhere", Controllers: []string{"memory", "cpu"}}}}
		g.Check(exercise.Check{Name: p.file, Want: p.want, Got: said(g, sys, p), Hint: p.hint})
	}
	gradeSpoken(g, cgroups.Limits{MemoryMax: memory, MemorySwap: memory + swap, CPUQuota: quota})
}

// said is what a machine would write to a file; "" is nothing.
func said(g *exercise.G, sys *cgroups.System, p phrase) string {
	g.Helper()
	steps, err := sys.Steps("box", p.limits)
	g.NoError(err, p.hint)
	for _, s := range steps {
		if set, ok := s.(cgroups.Set); ok && filepath.Base(set.Path) == p.file {
			return set.Value
		}
	}
	return ""
}

// gradeSpoken has this machine's kernel understand it.
func gradeSpoken(g *exercise.G, l cgroups.Limits) {
	b := newLimitedBox(g)
	steps, err := b.sys.Steps(b.name, l)
	g.NoError(err, "")
	for _, s := range steps {
		set, ok := s.(cgroups.Set)
		if _, err := os.Stat(set.Path); !ok || err != nil {
			continue // what makes the group; a kernel that does not count swap
		}
		g.NoError(os.WriteFile(set.Path, []byte(set.Value), 0), "The kernel does not take it.")
		g.Check(exercise.Check{Name: "the kernel's " + filepath.Base(set.Path), Want: set.Value, Got: g.Read(set.Path), Hint: "The kernel understood something else."})
	}
}
