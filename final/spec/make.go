package spec

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"cutaway/final/security"
)

// Options is what the engine adds to the request: where things are.
type Options struct {
	ID       string
	Rootfs   string        // where the container's layers are mounted
	NetNS    string        // path of its network namespace; "" = the host's
	Cgroup   string        // relative path of its cgroup
	Cgroupns bool          // a cgroup namespace of its own
	Binds    []specs.Mount // volumes, host directories and the engine's files, in order
}

// Make is the specification of a container's first process.
func Make(c container.Config, h container.HostConfig, o Options) (*specs.Spec, error) {
	process, err := Process(c, h)
	if err != nil {
		return nil, err
	}
	resources, err := resources(h.Resources)
	if err != nil {
		return nil, err
	}
	return &specs.Spec{
		Version:     specs.Version,
		Process:     process,
		Root:        &specs.Root{Path: o.Rootfs, Readonly: h.ReadonlyRootfs},
		Hostname:    c.Hostname,
		Domainname:  c.Domainname,
		Mounts:      mounts(h, o.Binds),
		Annotations: h.Annotations,
		Linux: &specs.Linux{
			Namespaces:    namespaces(o),
			CgroupsPath:   o.Cgroup,
			Resources:     resources,
			Sysctl:        h.Sysctls,
			MaskedPaths:   orDefault(h.MaskedPaths, security.MaskedPaths),
			ReadonlyPaths: orDefault(h.ReadonlyPaths, security.ReadonlyPaths),
		},
	}, nil
}

// Process is the part of a specification that exec needs too.
func Process(c container.Config, h container.HostConfig) (*specs.Process, error) {
	keep, err := security.Tweak(security.Default, h.CapAdd, h.CapDrop)
	if err != nil {
		return nil, err
	}
	noNew, err := noNewPrivileges(h.SecurityOpt)
	if err != nil {
		return nil, err
	}
	p := &specs.Process{
		Terminal:        c.Tty,
		User:            userOf(c.User, h.Umask),
		Args:            Args(c),
		Env:             environment(c),
		Cwd:             cmp.Or(c.WorkingDir, "/"),
		Capabilities:    &specs.LinuxCapabilities{Bounding: keep, Effective: keep, Permitted: keep},
		NoNewPrivileges: noNew,
	}
	if c.Tty && h.ConsoleSize != [2]uint{} {
		p.ConsoleSize = &specs.Box{Height: h.ConsoleSize[0], Width: h.ConsoleSize[1]}
	}
	if h.OomScoreAdj != 0 {
		p.OOMScoreAdj = &h.OomScoreAdj
	}
	for _, u := range h.Ulimits {
		p.Rlimits = append(p.Rlimits, specs.POSIXRlimit{
			Type: "RLIMIT_" + strings.ToUpper(u.Name), Soft: uint64(u.Soft), Hard: uint64(u.Hard), // -1 is "unlimited" in both
		})
	}
	return p, nil
}

// nobody stands for a user whose number only the container's /etc/passwd knows:
// another runtime that reads our config.json must not take it for root.
const nobody = 65534

// userOf keeps a name as it is: it is looked up inside the container.
func userOf(name string, umask *uint32) specs.User {
	u := specs.User{Username: name, UID: nobody, GID: nobody, Umask: umask}
	user, group, _ := strings.Cut(name, ":")
	if user == "" || user == "0" || user == "root" {
		u.UID, u.GID = 0, 0
	}
	if n, ok := parseID(user); ok {
		u.UID, u.GID = n, 0
	}
	if n, ok := parseID(group); ok {
		u.GID = n
	}
	return u
}

func parseID(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return uint32(n), err == nil
}

// environment is what every container has, and then its own.
func environment(c container.Config) []string {
	base := []string{DefaultPath, "HOSTNAME=" + c.Hostname}
	if c.Tty {
		base = append(base, "TERM=xterm")
	}
	return mergeEnv(base, c.Env)
}

func namespaces(o Options) []specs.LinuxNamespace {
	list := []specs.LinuxNamespace{
		{Type: specs.MountNamespace}, {Type: specs.UTSNamespace}, {Type: specs.IPCNamespace}, {Type: specs.PIDNamespace},
	}
	if o.NetNS != "" {
		list = append(list, specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: o.NetNS})
	}
	if o.Cgroupns {
		list = append(list, specs.LinuxNamespace{Type: specs.CgroupNamespace})
	}
	return list
}

func orDefault(given, usual []string) []string {
	if given != nil {
		return given
	}
	return slices.Clone(usual)
}
