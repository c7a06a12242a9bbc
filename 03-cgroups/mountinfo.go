package cgroups

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
)

// membership is one line of /proc/self/cgroup, cgroups(7): the group that this
// process is in, in one hierarchy. So there is a line for each hierarchy.
type membership struct {
	controllers []string // none for v2
	path        string   // seen from the root of the cgroup namespace
}

// parseMembership reads
//
//	4:memory:/user.slice
//	3:cpu,cpuacct:/user.slice
//	0::/user.slice/user-1000.slice
func parseMembership(line string) (membership, bool) {
	parts := strings.SplitN(line, ":", 3)
	if len(parts) != 3 {
		return membership{}, false
	}
	split := func(r rune) bool { return r == ',' }
	return membership{controllers: strings.FieldsFunc(parts[1], split), path: parts[2]}, true
}

// mount is one cgroup line of mountinfo.
type mount struct {
	root    string // which part of the hierarchy is mounted: "/" or a group's path
	point   string
	version Version
	options []string // of the hierarchy; with v1 its controllers are among them
}

// parseMount reads one line of proc_pid_mountinfo(5):
//
//	35 31 0:32 /docker/4f2a /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
//	           root         mount point                       "-" ends  type   source options
func parseMount(line string) (mount, bool) {
	before, after, _ := strings.Cut(line, " - ")
	left, right := strings.Fields(before), strings.Fields(after)
	if len(left) < 6 || len(right) < 3 || right[0] != "cgroup" && right[0] != "cgroup2" {
		return mount{}, false
	}
	version := V1
	if right[0] == "cgroup2" {
		version = V2
	}
	blank := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	return mount{
		root: blank.Replace(left[3]), point: blank.Replace(left[4]),
		version: version, options: strings.Split(right[2], ","),
	}, true
}

// find picks the mount of a membership's hierarchy: it may be mounted twice (a
// bind mount for a chroot, say), and a later mount may hide an earlier one.
func (o membership) find(mounts []mount) (mount, bool) {
	var found []mount
	for i, m := range mounts {
		hidden := slices.ContainsFunc(mounts[i+1:], func(n mount) bool { return n.point == m.point })
		if !hidden && o.isIn(m) {
			found = append(found, m)
		}
	}
	if len(found) == 0 {
		return mount{}, false
	}
	return slices.MaxFunc(found, func(a, b mount) int { return cmp.Compare(a.rank(), b.rank()) }), true
}

func (o membership) isIn(m mount) bool {
	if len(o.controllers) == 0 || m.version == V2 {
		return len(o.controllers) == 0 && m.version == V2
	}
	return !slices.ContainsFunc(o.controllers, func(c string) bool { return !slices.Contains(m.options, c) })
}

// rank prefers the usual place, then the mount that shows the whole tree.
func (m mount) rank() int {
	rank := 0
	if strings.HasPrefix(m.point, "/sys/fs/cgroup") {
		rank += 2
	}
	if m.root == "/" {
		rank++
	}
	return rank
}

// directory is where the group of the membership is seen in the mount; "" if
// the mount does not show it.
func (o membership) directory(m mount) string {
	rel, err := filepath.Rel(m.root, o.path)
	if err != nil || !filepath.IsLocal(rel) {
		return ""
	}
	return filepath.Join(m.point, rel)
}
