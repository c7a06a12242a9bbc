package cgroups

import (
	"path/filepath"
	"slices"
	"strings"
)

// membership is one line of /proc/self/cgroup, cgroups(7): the group that this
// process is in, in one hierarchy. So there is a line for each hierarchy.
type membership struct {
	version     Version
	controllers []string // none for v2
	path        string   // seen from the root of the cgroup namespace
}

// parseMembership reads
//
//	0::/user.slice/user-1000.slice   v2
//	4:memory:/user.slice             v1
//	3:cpu,cpuacct:/user.slice        v1
func parseMembership(line string) (membership, bool) {
	parts := strings.SplitN(line, ":", 3)
	if len(parts) != 3 {
		return membership{}, false
	}
	if parts[1] == "" {
		return membership{version: V2, path: parts[2]}, true
	}
	return membership{version: V1, controllers: strings.Split(parts[1], ","), path: parts[2]}, true
}

// mount is one cgroup line of mountinfo.
type mount struct {
	root    string // which part of the hierarchy is mounted: "/" or a group's path
	point   string
	version Version
	options []string // of the hierarchy; with v1 its controllers are among them
}

// parseMounts reads the cgroup lines of proc_pid_mountinfo(5):
//
//	35 31 0:32 /docker/4f2a /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
//	           root         mount point                       "-" ends  type   source options
func parseMounts(text string) []mount {
	var all []mount
	blank := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(text) {
		before, after, _ := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if len(left) < 6 || len(right) < 3 {
			continue
		}
		version := map[string]Version{"cgroup": V1, "cgroup2": V2}[right[0]] // 0: something else is mounted there
		all = append(all, mount{blank.Replace(left[3]), blank.Replace(left[4]), version, strings.Split(right[2], ",")})
	}
	return all
}

// findMount picks the mount of a membership's hierarchy. There may be several (a
// bind mount for a chroot, say): the one in the usual place is best, and then the
// last, which may hide an earlier one.
func findMount(o membership, mounts []mount) (best mount) {
	const usual = "/sys/fs/cgroup"
	for _, m := range mounts {
		foreign := slices.ContainsFunc(o.controllers, func(c string) bool { return !slices.Contains(m.options, c) })
		if foreign || m.version != o.version || strings.HasPrefix(best.point, usual) && !strings.HasPrefix(m.point, usual) {
			continue
		}
		best = m
	}
	return best
}

// directory is where the group of the membership is seen in the mount; "" if
// the mount does not show it.
func (o membership) directory(m mount) string {
	rel, err := filepath.Rel(m.root, o.path)
	if err != nil || !filepath.IsLocal(rel) || m.point == "" {
		return ""
	}
	return filepath.Join(m.point, rel)
}
