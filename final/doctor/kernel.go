package doctor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// read is a file of the patient's as one trimmed string; "" if it is not there.
func (p Patient) read(name string) string {
	data, _ := os.ReadFile(filepath.Join(p.Root, name))
	return strings.TrimSpace(string(data))
}

// kernelVersion: final/DESIGN.md says why 5.12.
func kernelVersion(p Patient) Finding {
	release := p.read("proc/sys/kernel/osrelease")
	found := "Linux " + release
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		return note(found, "the version cannot be read, so it may be too old", "")
	}
	if major < 5 || major == 5 && minor < 12 {
		return problem(found, "mount_setattr(2) and other calls are missing before Linux 5.12", "install a newer kernel; Debian 12 has 6.1")
	}
	return fine(found)
}

// status reads a line of /proc/self/status.
func (p Patient) status(key string) string {
	for line := range strings.Lines(p.read("proc/self/status")) {
		if name, value, _ := strings.Cut(line, ":"); name == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// privileges: the daemon mounts, makes devices and changes users.
func privileges(p Patient) Finding {
	found := fmt.Sprintf("user %d, capabilities %s", os.Geteuid(), p.status("CapEff"))
	var have uint64
	_, _ = fmt.Sscanf(p.status("CapEff"), "%x", &have) // 0 says enough
	switch {
	case !isRoot():
		return note(found, "the daemon needs root, and some checks below can only look", "sudo cutaway doctor")
	case have>>unix.CAP_SYS_ADMIN&1 == 0:
		return problem(found, "root without CAP_SYS_ADMIN can neither mount nor make namespaces", "leave the container that took it away, or give it --privileged")
	}
	return fine(found)
}

// confinement: a seccomp filter or AppArmor profile of ours is every container's.
func confinement(p Patient) Finding {
	profile := strings.TrimRight(p.read("proc/self/attr/current"), "\x00\n")
	switch {
	case p.status("Seccomp") == "2":
		return note("a seccomp filter is on", "mount(2), unshare(2) or bpf(2) may be refused with EPERM",
			"start the engine outside of the container or service that set the filter")
	case profile != "" && profile != "unconfined":
		return note("confined by "+profile, "what the profile forbids, the engine cannot do either", "")
	}
	return fine("no seccomp filter")
}

// namespaceKinds: those that every container needs.
func namespaceKinds(p Patient) Finding {
	var missing []string
	for _, kind := range []string{"mnt", "uts", "ipc", "pid", "net", "cgroup"} {
		if !exists(p.Root, "proc/self/ns/"+kind) {
			missing = append(missing, kind)
		}
	}
	if missing != nil {
		return problem("missing: "+strings.Join(missing, ", "), "the kernel was built without them", "a kernel with CONFIG_NAMESPACES and its sub-options")
	}
	return fine("all that a container needs")
}

// userNamespaces: containers here do not need them, the chapters' exercises do.
func userNamespaces(p Patient) Finding {
	const means = "the demonstrations of chapters 1 and 2 need sudo; containers do not need them"
	for _, lock := range []struct{ file, value, found, remedy string }{
		{"proc/sys/user/max_user_namespaces", "0", "switched off by a limit of 0", "sysctl -w user.max_user_namespaces=10000"},
		{"proc/sys/kernel/unprivileged_userns_clone", "0", "only for root (Debian's switch)", "sysctl -w kernel.unprivileged_userns_clone=1"},
		{"proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "only for root (AppArmor, as in Ubuntu since 24.04)", "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
	} {
		if p.read(lock.file) == lock.value {
			return note(lock.found, means, lock.remedy)
		}
	}
	cmd := exec.Command(filepath.Join(p.Root, "proc/self/exe"), "version", "--client")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
	if err := cmd.Run(); err != nil && strings.Contains(err.Error(), "fork/exec") {
		return note(fmt.Sprintf("clone(2) refuses them: %v", err), means, "look for a seccomp filter or security module")
	}
	return fine("allowed, up to " + p.read("proc/sys/user/max_user_namespaces"))
}

// nesting: a machine inside a machine has other rules.
func nesting(p Patient) Finding {
	environ := strings.Split(p.read("proc/1/environ"), "\x00")
	inside := slices.ContainsFunc(environ, func(v string) bool { return strings.HasPrefix(v, "container=") })
	switch {
	case strings.Contains(strings.ToLower(p.read("proc/sys/kernel/osrelease")), "microsoft"):
		return note("WSL2", "its kernel has no modules to load, and cgroups are v1 or hybrid unless set otherwise",
			"kernelCommandLine = cgroup_no_v1=all in .wslconfig, for v2")
	case inside || exists(p.Root, ".dockerenv") || exists(p.Root, "run/.containerenv"):
		return note("this is a container", "overlay on overlay, cgroups and device rules may be refused",
			"give the outer one --privileged and a volume at /var/lib/cutaway")
	}
	return fine("no container around this one")
}

func exists(root, name string) bool {
	_, err := os.Lstat(filepath.Join(root, name))
	return err == nil
}
