package cgroups

import (
	"path/filepath"
	"slices"
	"strings"
)

// mount is one cgroup line of mountinfo.
type mount struct {
	root        string // which part of the hierarchy is mounted: "/" or a group's path
	point       string // where
	version     Version
	controllers []string // v1 only
}

// parseMount reads one line of proc_pid_mountinfo(5):
//
//	35 31 0:32 /docker/4f2a /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
//	           root         mount point                      "-" ends  type   src   super options
//
// What a v1 hierarchy controls stands among the super options.
func parseMount(line string) (mount, bool) {
	before, after, ok := strings.Cut(line, " - ")
	left, right := strings.Fields(before), strings.Fields(after)
	if !ok || len(left) < 6 || len(right) < 3 {
		return mount{}, false
	}
	m := mount{root: unescape(left[3]), point: unescape(left[4])}
	switch right[0] {
	case "cgroup2":
		m.version = V2
	case "cgroup":
		m.version = V1
		m.controllers = v1Controllers(right[2])
	default:
		return mount{}, false
	}
	return m, true
}

// v1Controllers leaves out the options that are not controllers.
func v1Controllers(super string) []string {
	return slices.DeleteFunc(strings.Split(super, ","), func(o string) bool {
		option, _, _ := strings.Cut(o, "=")
		return slices.Contains([]string{"rw", "ro", "xattr", "noprefix", "clone_children",
			"release_agent", "cpuset_v2_mode", "favordynmods", "nofavordynmods"}, option)
	})
}

// unescape undoes what mountinfo does to white space: "\040" is a space.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// chooseMounts picks one mount for each hierarchy: a hierarchy may be mounted
// twice (a bind mount for a chroot, say), and one mount may hide another.
func chooseMounts(all []mount) []mount {
	var chosen []mount
	for i, m := range all {
		hidden := slices.ContainsFunc(all[i+1:], func(o mount) bool { return o.point == m.point })
		if hidden {
			continue
		}
		j := slices.IndexFunc(chosen, func(o mount) bool {
			return o.version == m.version && slices.Equal(o.controllers, m.controllers)
		})
		switch {
		case j < 0:
			chosen = append(chosen, m)
		case m.rank() > chosen[j].rank():
			chosen[j] = m
		}
	}
	return chosen
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

// membership is one line of /proc/self/cgroup.
type membership struct {
	controllers []string // empty for v2
	path        string   // seen from the root of the cgroup namespace
}

// parseMembership reads one line of cgroups(7), "/proc/pid/cgroup":
//
//	4:memory:/user.slice
//	0::/user.slice/user-1000.slice
func parseMembership(line string) (membership, bool) {
	parts := strings.SplitN(line, ":", 3)
	if len(parts) != 3 {
		return membership{}, false
	}
	m := membership{path: parts[2]}
	if parts[1] != "" {
		m.controllers = strings.Split(parts[1], ",")
	}
	return m, true
}

// ownGroup is the directory of the group that this process is in, or "" if it
// is not below the mount.
func (m mount) ownGroup(own []membership) string {
	for _, o := range own {
		if !slices.Equal(o.controllers, m.controllers) {
			continue
		}
		if rel, err := filepath.Rel(m.root, o.path); err == nil && filepath.IsLocal(rel) {
			return filepath.Join(m.point, rel)
		}
	}
	return ""
}
