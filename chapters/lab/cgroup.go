package lab

import (
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

var cgroupCount atomic.Int64

// CgroupName returns a name for a cgroup that no other test, in this process or elsewhere, uses. A cgroup of
// this name, or below it, that is still there when the tests are over counts as a leak.
func CgroupName(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("cutaway-lab-%s-%d", os.Getenv(tokenVar), cgroupCount.Add(1))
}

// newToken returns a name for one run of one test binary.
func newToken() string {
	return strings.ToLower(rand.Text()[:10])
}

// addCgroups adds the cgroups that this run of the tests has made.
func addCgroups(s snapshot) {
	for _, dir := range cgroupsNamed(os.Getenv(tokenVar)) {
		s["cgroup "+dir] = "cgroup " + dir
	}
}

// sweepCgroups removes what a failed run left, children first. Its processes are dead: their PID namespace is.
func sweepCgroups(token string) {
	for _, dir := range slices.Backward(cgroupsNamed(token)) {
		_ = os.Remove(dir)
	}
}

// cgroupsNamed lists the cgroups, in every hierarchy, whose path holds the token; parents first.
func cgroupsNamed(token string) []string {
	var dirs []string
	for _, mount := range cgroupMounts() {
		_ = filepath.WalkDir(mount, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && strings.Contains(path, token) {
				dirs = append(dirs, path)
			}
			return nil // cgroups come and go while we walk
		})
	}
	return dirs
}

// cgroupMounts lists the mount points of all cgroup hierarchies. A line of mountinfo:
//
//	35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
func cgroupMounts() []string {
	text, err := os.ReadFile("/proc/self/mountinfo")
	must(err)
	var mounts []string
	for line := range strings.Lines(string(text)) {
		left, right, _ := strings.Cut(line, " - ")
		if f := strings.Fields(left); len(f) > 4 && strings.HasPrefix(right, "cgroup") {
			mounts = append(mounts, f[4])
		}
	}
	return mounts
}
