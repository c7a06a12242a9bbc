package namespaces

import (
	"fmt"
	"os"
	"strings"
)

// Cgroups returns the cgroups of the process pid (0: the caller), by the
// names of their controllers; "" is cgroup v2. The paths are as the caller
// sees them: relative to the root of its own cgroup namespace, with "/.." for
// what is above. A new namespace's root is the cgroup in which its maker is,
// so there the answer is "/"; see [Unshare]. A line of /proc/PID/cgroup:
//
//	4:cpu,cpuacct:/cutaway/web
func Cgroups(pid int) (map[string]string, error) {
	task := "self"
	if pid != 0 {
		task = fmt.Sprint(pid)
	}
	text, err := os.ReadFile("/proc/" + task + "/cgroup")
	if err != nil {
		return nil, err
	}
	paths := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if f := strings.SplitN(strings.TrimSpace(line), ":", 3); len(f) == 3 {
			paths[f[1]] = f[2]
		}
	}
	return paths, nil
}
