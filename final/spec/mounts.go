package spec

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// defaultShm is the size of /dev/shm, in bytes (moby, opts.DefaultShmSize).
const defaultShm = 64 << 20

// mounts is what every container has (moby, daemon/pkg/oci/defaults.go), and
// then its own, shallow before deep so that none hides another.
func mounts(h container.HostConfig, binds []specs.Mount) []specs.Mount {
	shm := h.ShmSize
	if shm == 0 {
		shm = defaultShm
	}
	list := []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"ro", "nosuid", "noexec", "nodev"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=" + strconv.FormatInt(shm, 10)}},
	}
	own := slices.Concat(binds, tmpfs(h))
	slices.SortStableFunc(own, func(a, b specs.Mount) int { return depth(a.Destination) - depth(b.Destination) })
	list = slices.DeleteFunc(list, func(m specs.Mount) bool {
		return slices.ContainsFunc(own, func(o specs.Mount) bool { return o.Destination == m.Destination })
	})
	return append(list, own...)
}

func depth(path string) int { return strings.Count(strings.TrimRight(path, "/"), "/") }

// tmpfs is --tmpfs and --mount type=tmpfs.
func tmpfs(h container.HostConfig) []specs.Mount {
	var list []specs.Mount
	for _, dest := range slices.Sorted(maps.Keys(h.Tmpfs)) {
		options := []string{"noexec", "nosuid", "nodev"}
		if o := h.Tmpfs[dest]; o != "" {
			options = override(options, strings.Split(o, ","))
		}
		list = append(list, specs.Mount{Destination: dest, Type: "tmpfs", Source: "tmpfs", Options: options})
	}
	for _, m := range h.Mounts {
		if m.Type != mount.TypeTmpfs {
			continue
		}
		options := []string{"noexec", "nosuid", "nodev"}
		if o := m.TmpfsOptions; o != nil && o.SizeBytes > 0 {
			options = append(options, "size="+strconv.FormatInt(o.SizeBytes, 10))
		}
		if o := m.TmpfsOptions; o != nil && o.Mode != 0 {
			options = append(options, "mode="+strconv.FormatUint(uint64(o.Mode), 8))
		}
		if m.ReadOnly {
			options = append(options, "ro")
		}
		list = append(list, specs.Mount{Destination: m.Target, Type: "tmpfs", Source: "tmpfs", Options: options})
	}
	return list
}

// override puts options behind the usual ones, and takes away those that they
// contradict: "exec" takes "noexec" away.
func override(usual, options []string) []string {
	usual = slices.DeleteFunc(usual, func(u string) bool { return slices.Contains(options, strings.TrimPrefix(u, "no")) })
	return append(usual, options...)
}
