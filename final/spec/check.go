package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	daemon "cutaway/07-daemon"
	"cutaway/final/security"
)

// What a refused option is about: sections of chapters/errors.md.
var (
	notYet       = daemon.Topic{ID: "option.Unsupported", Chapter: "chapters/08-final.md"}
	badOption    = daemon.Topic{ID: "option.Invalid", Chapter: "chapters/08-final.md"}
	badSysctl    = daemon.Topic{ID: "option.Sysctl", Chapter: "chapters/02-namespaces.md"}
	badMemory    = daemon.Topic{ID: "limit.Memory", Chapter: "chapters/03-cgroups.md"}
	badProcessor = daemon.Topic{ID: "limit.CPU", Chapter: "chapters/03-cgroups.md"}
)

// Check refuses what cannot be done or makes no sense, in the terms of the
// command line.
func Check(c container.Config, h container.HostConfig) error {
	for _, check := range []func() error{
		func() error { return notYet.About(unsupported(c, h)) },
		func() error { return badOption.About(checkProcess(c, h)) },
		func() error { return badSysctl.About(checkSysctls(h)) },
		func() error { return badMemory.About(checkMemory(h.Resources)) },
		func() error { return badProcessor.About(checkCPU(h.Resources)) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// unsupported names the first option that is set and not done here.
func unsupported(c container.Config, h container.HostConfig) error {
	network := string(h.NetworkMode)
	for _, o := range []struct {
		option string
		set    bool
	}{
		{"--privileged", h.Privileged},
		{"--pid " + string(h.PidMode), h.PidMode != ""},
		{"--uts " + string(h.UTSMode), h.UTSMode != ""},
		{"--userns " + string(h.UsernsMode), h.UsernsMode != "" && h.UsernsMode != "host"},
		{"--ipc " + string(h.IpcMode), !slices.Contains([]string{"", "private", "shareable"}, string(h.IpcMode))},
		{"--network " + network, !slices.Contains([]string{"", "default", "bridge", "none", "host"}, network) && !h.NetworkMode.IsContainer()},
		{"--restart " + string(h.RestartPolicy.Name), h.RestartPolicy.Name != "" && h.RestartPolicy.Name != "no"},
		{"--log-driver " + h.LogConfig.Type, h.LogConfig.Type != "" && h.LogConfig.Type != "json-file"},
		{"--log-opt", len(h.LogConfig.Config) > 0},
		{"--volume-driver " + h.VolumeDriver, h.VolumeDriver != "" && h.VolumeDriver != "local"},
		{"--volumes-from", len(h.VolumesFrom) > 0},
		{"--link", len(h.Links) > 0},
		{"--device", len(h.Devices) > 0},
		{"--gpus", len(h.DeviceRequests) > 0},
		{"--storage-opt", len(h.StorageOpt) > 0},
		{"--runtime " + h.Runtime, h.Runtime != "" && h.Runtime != "cutaway"},
		{"--cgroup-parent", h.CgroupParent != ""},
		{"--init", h.Init != nil && *h.Init},
		{"--oom-kill-disable", h.OomKillDisable != nil && *h.OomKillDisable},
		{"--memory-swappiness", h.MemorySwappiness != nil && *h.MemorySwappiness >= 0},
		{"--cpu-rt-runtime", h.CPURealtimeRuntime != 0 || h.CPURealtimePeriod != 0},
		{"--blkio-weight-device", len(h.BlkioWeightDevice) > 0},
		{"--isolation " + string(h.Isolation), h.Isolation != "" && h.Isolation != "default"},
		{"--health-cmd", c.Healthcheck != nil && len(c.Healthcheck.Test) > 0 && c.Healthcheck.Test[0] != "NONE"},
	} {
		if o.set {
			return fmt.Errorf("%s: cutaway does not have this yet; leave it out", o.option)
		}
	}
	for _, m := range h.Mounts {
		if !slices.Contains([]mount.Type{mount.TypeBind, mount.TypeVolume, mount.TypeTmpfs}, m.Type) {
			return fmt.Errorf("--mount type=%s: cutaway does not have this yet; bind, volume and tmpfs work", m.Type)
		}
	}
	return nil
}

func checkProcess(c container.Config, h container.HostConfig) error {
	if len(Args(c)) == 0 {
		return fmt.Errorf("no command specified: neither the image nor the command line names a program")
	}
	if Args(c)[0] == "" {
		return fmt.Errorf("the command is empty")
	}
	if len(c.Hostname) > 64 {
		return fmt.Errorf("--hostname: %d bytes; the kernel allows 64", len(c.Hostname))
	}
	if c.WorkingDir != "" && !strings.HasPrefix(c.WorkingDir, "/") {
		return fmt.Errorf("the working directory '%s' is invalid, it needs to be an absolute path", c.WorkingDir)
	}
	for _, e := range c.Env {
		if strings.HasPrefix(e, "=") {
			return fmt.Errorf("invalid environment variable: %s", e)
		}
	}
	for _, list := range [][]string{Args(c), c.Env, {c.Hostname, c.WorkingDir, c.User}} {
		for _, s := range list {
			if strings.ContainsRune(s, 0) {
				return fmt.Errorf("%q holds a NUL byte", s)
			}
		}
	}
	if _, err := security.Tweak(security.Default, h.CapAdd, h.CapDrop); err != nil {
		return err
	}
	if _, err := noNewPrivileges(h.SecurityOpt); err != nil {
		return err
	}
	for _, u := range h.Ulimits {
		if name := "RLIMIT_" + strings.ToUpper(u.Name); !security.KnownRlimit(name) {
			return fmt.Errorf("--ulimit: unknown limit %q", u.Name)
		}
		if u.Hard >= 0 && (u.Soft > u.Hard || u.Soft < 0) {
			return fmt.Errorf("--ulimit %s: the soft limit %d is more than the hard limit %d", u.Name, u.Soft, u.Hard)
		}
	}
	return nil
}

// checkSysctls refuses every key of the kernel that belongs to no namespace of
// the container's own: to set it would change the host. The words are runc's
// (libcontainer/configs/validate, sysctl).
func checkSysctls(h container.HostConfig) error {
	for _, key := range slices.Sorted(maps.Keys(h.Sysctls)) {
		name := strings.ReplaceAll(key, "/", ".")
		own := slices.ContainsFunc([]string{"kernel.msg", "kernel.shm", "fs.mqueue."}, func(p string) bool { return strings.HasPrefix(name, p) })
		switch {
		case slices.Contains(strings.Split(key, "/"), ".."):
			return fmt.Errorf("--sysctl %s: \"..\" is no part of a key", key)
		case strings.HasPrefix(name, "net.") && (h.NetworkMode.IsHost() || h.NetworkMode.IsContainer()):
			return fmt.Errorf("--sysctl %s: not allowed, as the container has no network of its own", key)
		case name != "kernel.sem" && !own && !strings.HasPrefix(name, "net."):
			return fmt.Errorf("--sysctl %s: sysctl %q is not in a separate kernel namespace: it would change the host", key, key)
		}
	}
	return nil
}

// noNewPrivileges reads --security-opt. What it does not know is an error.
func noNewPrivileges(options []string) (bool, error) {
	on := false
	for _, o := range options {
		name, value, _ := strings.Cut(strings.Replace(o, ":", "=", 1), "=")
		switch {
		case name == "no-new-privileges" && (value == "" || value == "true"):
			on = true
		case name == "no-new-privileges" && value == "false":
			on = false
		case name == "seccomp" && value == "unconfined", name == "apparmor" && value == "unconfined", name == "label" && value == "disable":
			// None of them is on.
		default:
			return false, fmt.Errorf("--security-opt %s: cutaway does not have this yet; no-new-privileges works", o)
		}
	}
	return on, nil
}

// minMemory is Docker's (moby, daemon/daemon_unix.go, linuxMinMemory): with
// less, the child could not even become the program.
const minMemory = 6 << 20 // bytes

func checkMemory(r container.Resources) error {
	switch {
	case r.Memory < 0:
		return fmt.Errorf("--memory %d: is negative", r.Memory)
	case r.Memory > 0 && r.Memory < minMemory:
		return fmt.Errorf("--memory %d: Minimum memory limit allowed is 6MB", r.Memory)
	case r.MemorySwap > 0 && r.Memory == 0:
		return fmt.Errorf("--memory-swap %d: you should always set the Memory limit when using Memoryswap limit, see usage", r.MemorySwap)
	case r.MemorySwap > 0 && r.MemorySwap < r.Memory:
		return fmt.Errorf("--memory-swap %d: Minimum memoryswap limit should be larger than memory limit, see usage", r.MemorySwap)
	case r.MemorySwap < -1:
		return fmt.Errorf("--memory-swap %d: is negative; -1 means no limit", r.MemorySwap)
	case r.MemoryReservation < 0:
		return fmt.Errorf("--memory-reservation %d: is negative", r.MemoryReservation)
	case r.Memory > 0 && r.MemoryReservation > r.Memory:
		return fmt.Errorf("--memory-reservation %d: Minimum memory limit can not be less than memory reservation limit, see usage", r.MemoryReservation)
	}
	return nil
}

func checkCPU(r container.Resources) error {
	switch {
	case r.NanoCPUs < 0:
		return fmt.Errorf("--cpus: is negative")
	case r.NanoCPUs > 0 && (r.CPUQuota != 0 || r.CPUPeriod != 0):
		return fmt.Errorf("conflicting options: Nano CPUs and CPU quota or period cannot both be set")
	case r.NanoCPUs > 0 && r.NanoCPUs < 1e7:
		return fmt.Errorf("--cpus %g: range of CPUs is from 0.01", float64(r.NanoCPUs)/1e9)
	case r.CPUPeriod != 0 && (r.CPUPeriod < 1000 || r.CPUPeriod > 1000000):
		return fmt.Errorf("--cpu-period %d: CPU cfs period must be between 1ms (1000) and 1s (1000000)", r.CPUPeriod)
	case r.CPUQuota > 0 && r.CPUQuota < 1000:
		return fmt.Errorf("--cpu-quota %d: CPU cfs quota can not be less than 1ms (i.e. 1000)", r.CPUQuota)
	case r.CPUShares < 0:
		return fmt.Errorf("--cpu-shares %d: is negative", r.CPUShares)
	}
	return nil
}
