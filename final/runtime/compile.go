package runtime

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	chroot "cutaway/01-chroot"
	namespaces "cutaway/02-namespaces"
	cgroups "cutaway/03-cgroups"
	"cutaway/final/plan"
	"cutaway/final/rootfs"
	"cutaway/final/security"
	"cutaway/final/shim"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Compiled is a specification as steps.
type Compiled struct {
	Limits []plan.Step      // on the host
	Clone  namespaces.Clone // how the first process is born
	Inside []plan.Step      // what it does, ending in execve
}

// ErrSpec means that a specification asks for what this runtime cannot do.
var ErrSpec = errors.New("specification")

// Compile lists the steps for a container's first process. The specification's
// root must be a mount by the time they are done. Nothing is changed.
func Compile(s *specs.Spec, system *cgroups.System) (*Compiled, error) {
	if err := check(s); err != nil {
		return nil, err
	}
	c := &Compiled{}
	limits, err := limitsOf(s.Linux.Resources)
	if err != nil {
		return nil, err
	}
	steps, err := system.Steps(s.Linux.CgroupsPath, limits)
	if err != nil {
		return nil, err
	}
	for _, step := range steps {
		c.Limits = append(c.Limits, step)
	}
	root := s.Root.Path
	c.enter(s, system)
	c.do(namespaces.Propagation{Target: "/", Mode: "rprivate"})
	c.mounts(s, system)
	c.devices(root)
	if s.Process.Terminal {
		t := terminal(s.Process)
		t.Root, t.Console = root, true
		c.do(t)
	}
	c.do(chroot.Pivot{Root: root})
	c.identity(s)
	c.do(plan.Workdir{Path: s.Process.Cwd})
	if s.Root.Readonly {
		c.do(rootfs.Mount{Target: "/", Options: []string{"remount", "bind", "ro"}})
	}
	for _, path := range s.Linux.ReadonlyPaths {
		c.do(security.ReadOnly{Path: path})
	}
	for _, path := range s.Linux.MaskedPaths {
		c.do(security.Mask{Path: path})
	}
	c.Inside = append(c.Inside, privileges(s.Process)...)
	return c, nil
}

func (c *Compiled) do(steps ...plan.Step) { c.Inside = append(c.Inside, steps...) }

func check(s *specs.Spec) error {
	switch {
	case s.Process == nil || s.Root == nil || s.Linux == nil:
		return fmt.Errorf("%w has no process, root or linux section", ErrSpec)
	case s.Linux.Seccomp != nil:
		return fmt.Errorf("%w asks for seccomp", ErrSpec)
	case s.Hooks != nil:
		return fmt.Errorf("%w asks for hooks", ErrSpec)
	case len(s.Linux.UIDMappings) > 0 || len(s.Linux.GIDMappings) > 0:
		return fmt.Errorf("%w asks for a user namespace", ErrSpec)
	case s.Process.ApparmorProfile != "" || s.Process.SelinuxLabel != "":
		return fmt.Errorf("%w asks for AppArmor or SELinux", ErrSpec)
	}
	return nil
}

// enter sorts the namespaces by how one gets in: born in it, joining it, or
// late. The mount namespace is a copy of the host's, and is taken when the host
// has mounted what the container needs; the cgroup namespace has as its root
// the cgroup that was entered before.
func (c *Compiled) enter(s *specs.Spec, system *cgroups.System) {
	var late []namespaces.Kind
	for _, ns := range s.Linux.Namespaces {
		kind := namespaces.Kind(ns.Type)
		switch {
		case ns.Path != "":
			c.do(namespaces.Join{Kind: kind, Path: ns.Path})
		case kind == namespaces.Cgroup || kind == namespaces.Mnt:
			late = append(late, kind)
		default:
			c.Clone.New = append(c.Clone.New, kind)
		}
	}
	c.do(entering(system.Join(s.Linux.CgroupsPath)))
	if late != nil {
		c.do(namespaces.Unshare{New: late})
	}
}

// entering joins with the one thread that will be left after execve.
func entering(j cgroups.Join) cgroups.Join {
	j.Thread = true
	return j
}

// mounts translates the list. "cgroup" is a word for whatever this machine has.
func (c *Compiled) mounts(s *specs.Spec, system *cgroups.System) {
	for _, m := range s.Mounts {
		if m.Type == "cgroup" {
			c.cgroupMounts(s, m, system)
			continue
		}
		c.do(rootfs.Mount{Root: s.Root.Path, Source: m.Source, Target: m.Destination, Type: m.Type, Options: m.Options})
	}
}

// devices fills /dev (OCI runtime-spec, config-linux.md, "Default Devices").
func (c *Compiled) devices(root string) {
	for _, node := range []rootfs.Device{
		{Path: "/dev/null", Major: 1, Minor: 3}, {Path: "/dev/zero", Major: 1, Minor: 5}, {Path: "/dev/full", Major: 1, Minor: 7},
		{Path: "/dev/random", Major: 1, Minor: 8}, {Path: "/dev/urandom", Major: 1, Minor: 9}, {Path: "/dev/tty", Major: 5, Minor: 0},
	} {
		node.Root, node.Mode = root, 0o666
		c.do(node)
	}
	for _, link := range [][2]string{
		{"/proc/self/fd", "/dev/fd"}, {"/proc/self/fd/0", "/dev/stdin"}, {"/proc/self/fd/1", "/dev/stdout"},
		{"/proc/self/fd/2", "/dev/stderr"}, {"pts/ptmx", "/dev/ptmx"}, {"/proc/kcore", "/dev/core"},
	} {
		c.do(rootfs.Symlink{Root: root, Target: link[0], Path: link[1]})
	}
}

// identity gives the container its names and its kernel parameters.
func (c *Compiled) identity(s *specs.Spec) {
	if s.Hostname != "" {
		c.do(namespaces.Hostname{Name: s.Hostname})
	}
	if s.Domainname != "" {
		c.do(namespaces.Domainname{Name: s.Domainname})
	}
	for _, key := range slices.Sorted(maps.Keys(s.Linux.Sysctl)) {
		c.do(namespaces.Sysctl{Key: key, Value: s.Linux.Sysctl[key]})
	}
}

// privileges is what both the first process and those of exec give up.
func privileges(p *specs.Process) []plan.Step {
	var steps []plan.Step
	if p.OOMScoreAdj != nil {
		steps = append(steps, security.OOMScore{Adjust: *p.OOMScoreAdj})
	}
	for _, r := range p.Rlimits {
		steps = append(steps, security.Rlimit{Type: r.Type, Soft: r.Soft, Hard: r.Hard})
	}
	caps := p.Capabilities
	if caps == nil {
		caps = &specs.LinuxCapabilities{}
	}
	user := security.User{Name: p.User.Username, Umask: 0o022}
	if p.User.Username == "" && p.User.UID != 0 {
		user.Name = fmt.Sprintf("%d:%d", p.User.UID, p.User.GID)
	}
	if p.User.Umask != nil {
		user.Umask = int(*p.User.Umask)
	}
	for _, g := range p.User.AdditionalGids {
		user.Groups = append(user.Groups, fmt.Sprint(g))
	}
	steps = append(steps, security.Bounding{Keep: caps.Bounding}, user, security.Capabilities{
		Effective: caps.Effective, Permitted: caps.Permitted, Inheritable: caps.Inheritable, Ambient: caps.Ambient,
	})
	if p.NoNewPrivileges {
		steps = append(steps, security.NoNewPrivileges{})
	}
	return append(steps, plan.Exec{Args: p.Args, Env: p.Env})
}

func terminal(p *specs.Process) shim.Terminal {
	var t shim.Terminal
	if size := p.ConsoleSize; size != nil {
		t.Rows, t.Columns = uint16(size.Height), uint16(size.Width)
	}
	return t
}
