package truth

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	chroot "cutaway/01-chroot"
	namespaces "cutaway/02-namespaces"
	cgroups "cutaway/03-cgroups"
	unionfs "cutaway/04-unionfs"
	network "cutaway/06-network"
	"cutaway/final/plan"
	"cutaway/final/rootfs"
	"cutaway/final/security"
	"cutaway/final/shim"
	"cutaway/final/volume"
)

// want is a fact that a step stands for.
type want struct {
	what  string   // of the fact; with "*" at the end, what it begins with
	has   []string // in the fact's details
	who   string   // "" = whoever does the steps of its lane
	maybe bool     // any number of them, none also
	most  int      // maybe: no more than these; 0 = any number
	facts []int    // those of the window that match
}

func must(what string, has ...string) want  { return want{what: what, has: has} }
func maybe(what string, has ...string) want { return want{what: what, has: has, maybe: true} }

// parents are the directories on the way to p, and p: made if they are missing.
func parents(p string) (list []want) {
	for ; p != "/" && p != "."; p = path.Dir(p) {
		list = append(list, maybe("mkdir "+p))
	}
	return list
}

// claims are the facts that a step stands for; nil for one that is not known.
// seen tells what was found out before it could be done: whether a file is there.
func claims(step plan.Step, seen func(what string) bool) []want {
	for _, chapter := range []func(plan.Step, func(string) bool) []want{files, tree, process, cgroup, wire, privilege} {
		if list := chapter(step, seen); list != nil {
			return list
		}
	}
	return nil
}

// files is the claims of the steps that make a container's files.
func files(step plan.Step, seen func(string) bool) []want {
	switch s := step.(type) {
	case volume.Directory:
		return parents(s.Path)
	case volume.File:
		return []want{must("create " + s.Path), must("write " + s.Path + ": " + s.Content), must("chmod 0644 " + s.Path)}
	case volume.Fill:
		return fill(s, seen)
	case unionfs.Mount:
		return overlay(s, seen)
	}
	return nil
}

// tree is the claims of those that change what is mounted where.
func tree(step plan.Step, seen func(string) bool) []want {
	switch s := step.(type) {
	case namespaces.Propagation:
		return []want{must("propagation " + propagations[s.Mode] + " of " + s.Target)}
	case rootfs.Mount:
		return mount(s)
	case rootfs.Device:
		p := path.Join(s.Root, s.Path)
		return append(parents(path.Dir(p)),
			must(fmt.Sprintf("mknod S_IFCHR|0%o makedev(%s,%s) %s", s.Mode, hex(s.Major), hex(s.Minor), p)),
			must(fmt.Sprintf("chmod 0%o %s", s.Mode, p)))
	case rootfs.Symlink:
		p := path.Join(s.Root, s.Path)
		return append(parents(path.Dir(p)), must("symlink "+s.Target+" at "+p))
	case chroot.Pivot:
		return []want{
			must("chdir " + s.Root), must("pivot_root"), must("fchdir"), must("propagation MS_REC|MS_SLAVE of ."),
			must("umount .", "MNT_DETACH"), must("chdir /"),
		}
	case security.Mask:
		return masked(s, seen)
	case security.ReadOnly:
		p := path.Join("/", s.Root, s.Path)
		if seen("absent " + p) {
			return []want{must("absent " + p)}
		}
		return []want{must("bind " + p + " on " + p + " MS_BIND|MS_RDONLY|MS_REC"), must("mount_setattr "+p, "attr_set=MOUNT_ATTR_RDONLY")}
	}
	return nil
}

// process is the claims of those about namespaces, and of the process itself.
func process(step plan.Step, _ func(string) bool) []want {
	switch s := step.(type) {
	case plan.Clone:
		return []want{must("clone " + flags(s.New)), must("execve child")}
	case namespaces.Join:
		return joined(s)
	case namespaces.Unshare:
		return []want{must("unshare " + flags(s.New))}
	case namespaces.Hostname:
		return []want{must("sethostname " + s.Name)}
	case namespaces.Domainname:
		return []want{must("setdomainname " + s.Name)}
	case namespaces.Sysctl:
		return []want{must("write /proc/sys/" + strings.ReplaceAll(s.Key, ".", "/") + ": " + s.Value)}
	case plan.Workdir:
		return append(parents(s.Path), must("chdir "+s.Path))
	case shim.Terminal:
		return terminal(s)
	}
	return nil
}

// cgroup is the claims of chapter 3's steps.
func cgroup(step plan.Step, seen func(string) bool) (list []want) {
	switch s := step.(type) {
	case cgroups.Create:
		for _, p := range s.Paths {
			list = append(append(list, must("mkdir "+p)), parents(path.Dir(p))...)
		}
	case cgroups.Delegate:
		list = append(parents(path.Join(s.Path, s.Leaf)),
			must("write "+s.Path+"/cgroup.subtree_control: +"+strings.Join(s.Controllers, " +")))
		if s.Leaf != "" {
			list = append(list, maybe("write "+path.Join(s.Path, s.Leaf)+"/cgroup.procs: *"))
		}
	case cgroups.Inherit:
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} { // where the new group has none
			list = append(list, want{what: "write " + s.Path + "/" + file + ": *", maybe: true, most: 1})
		}
	case cgroups.Set:
		if s.Optional && seen("absent "+s.Path) && !seen("write "+s.Path+": *") {
			return []want{must("absent " + s.Path)}
		}
		list = []want{must("write " + s.Path + ": " + s.Value)}
	case cgroups.Devices:
		if s.BPF {
			return []want{must("bpf BPF_PROG_LOAD", "BPF_PROG_TYPE_CGROUP_DEVICE"), must("bpf BPF_PROG_ATTACH", "BPF_CGROUP_DEVICE"), maybe("bpf BPF_PROG_DETACH"),
				maybe("prlimit64 RLIMIT_MEMLOCK *")} // tried, and put back: cilium/ebpf, rlimit
		}
		for _, r := range s.Rules {
			file := map[bool]string{true: "allow", false: "deny"}[r.Allow]
			list = append(list, must("write "+s.Path+"/devices."+file+": "+r.String()))
		}
	case cgroups.Join:
		for _, p := range s.Paths {
			if _, err := os.Stat(path.Dir(path.Dir(p)) + "/tasks"); err == nil && s.Thread { // a v1 hierarchy
				list = append(list, must("write "+p+"/tasks: 0"))
				continue
			}
			list = append(list, must("write "+p+"/cgroup.procs: 0"))
		}
	}
	return list
}

// wire is the claims of chapter 6's steps.
func wire(step plan.Step, _ func(string) bool) []want {
	enter := func(netns string, then ...want) []want {
		if netns == "" {
			return then
		}
		return append([]want{must("setns CLONE_NEWNET " + netns)}, then...)
	}
	switch s := step.(type) {
	case network.Sysctl:
		file := "/proc/sys/" + strings.ReplaceAll(s.Key, ".", "/")
		return []want{maybe("create " + file), maybe("write " + file + ": " + s.Value)}
	case network.Bridge:
		return []want{must("add link "+s.Name+" here", s.MAC, `"bridge"`), must("look at link " + s.Name + " here")}
	case network.Firewall:
		list := []want{must("nft NEWTABLE", hexOf([]byte(s.Table)))}
		for line := range strings.Lines(s.String()) {
			for _, kind := range [][2]string{{"add map ", "NEWSET"}, {"add chain ", "NEWCHAIN"}, {"flush chain ", "DELRULE"}, {"add rule ", "NEWRULE"}} {
				if strings.HasPrefix(line, kind[0]) {
					list = append(list, must("nft "+kind[1], hexOf([]byte(s.Table))))
				}
			}
		}
		return list
	case network.Namespace:
		return append(parents(path.Dir(s.Path)), must("create "+s.Path), must("unshare CLONE_NEWNET"),
			must("bind /proc/thread-self/ns/net on "+s.Path+" MS_BIND"))
	case network.Veth:
		return []want{
			must("look at link " + s.Bridge + " here"), must("add link "+s.Name+" here", `"veth"`), maybe("look at link " + s.Name + " here"),
			maybe("change link "+s.Name+" here", "IFLA_MASTER"), must("change link "+s.Name+" here", "IFLA_PROTINFO"),
		}
	case network.Up:
		return enter(s.NetNS, must("look at link "+s.Link+in(s.NetNS)), must("set link "+s.Link+" up"+in(s.NetNS)))
	case network.Address:
		return enter(s.NetNS, must("look at link "+s.Link+in(s.NetNS)), must("add address "+s.Address.String()+" to "+s.Link+in(s.NetNS)))
	case network.Ready:
		var list []want
		for _, link := range s.Links {
			list = append(list, enter(s.NetNS, must("look at link "+link+in(s.NetNS)))...)
		}
		return list
	case network.Route:
		return enter(s.NetNS, must("look at link "+s.Link+in(s.NetNS)),
			must("add route default via "+s.Gateway.String()+" over "+s.Link+in(s.NetNS)))
	case network.Publish:
		var list []want
		for _, p := range s.Ports {
			port := []byte{byte(p.HostPort >> 8), byte(p.HostPort), 0, 0}
			to := append(s.Address.AsSlice(), byte(p.Target>>8), byte(p.Target), 0, 0)
			list = append(list, must("nft NEWSETELEM", hexOf([]byte(s.Table)), hexOf(port), hexOf(to)), must("nft GETSETELEM", hexOf(port)))
		}
		return list
	case network.Forget:
		return []want{must("conntrack GET"), maybe("conntrack DELETE")}
	}
	return nil
}

// privilege is the claims of the last steps.
func privilege(step plan.Step, seen func(string) bool) (list []want) {
	switch s := step.(type) {
	case security.OOMScore:
		return []want{must("create /proc/self/oom_score_adj"), must("write /proc/self/oom_score_adj: " + strconv.Itoa(s.Adjust))}
	case security.Rlimit:
		return []want{must("prlimit64 " + s.Type + " {rlim_cur=" + number(s.Soft) + ", rlim_max=" + number(s.Hard) + "}")}
	case security.Bounding:
		return bounding(s, seen)
	case security.User:
		list = []want{maybe("chown *"), must(fmt.Sprintf("umask 0%o", s.Umask)), must("prctl PR_SET_KEEPCAPS 1"), must("setgroups *")}
		uid, gid, _ := strings.Cut(s.Name, ":")
		if _, err := strconv.Atoi(uid); err != nil && uid != "" {
			uid = "*"
		}
		if uid == "" {
			uid, gid = "0", "0"
		}
		if _, err := strconv.Atoi(gid); err != nil {
			gid = "*"
		}
		return append(list, must(triple("setresgid", gid)), must(triple("setresuid", uid)))
	case security.Capabilities:
		list = []want{must("capset", "effective="+set(s.Effective), "permitted="+set(s.Permitted), "inheritable="+set(s.Inheritable))}
		for _, c := range s.Ambient {
			list = append(list, must("prctl PR_CAP_AMBIENT PR_CAP_AMBIENT_RAISE "+c))
		}
		return list
	case security.NoNewPrivileges:
		return []want{must("prctl PR_SET_NO_NEW_PRIVS 1")}
	case plan.Exec:
		name := "execve /*"
		if path.IsAbs(s.Args[0]) {
			name = "execve " + s.Args[0] + " *"
		}
		return []want{must("close_range 3 CLOSE_RANGE_CLOEXEC"), must(name, slices.Concat(quoted(s.Args), quoted(s.Env))...)}
	}
	return nil
}

func triple(call, id string) string {
	if id == "*" {
		return call + " *"
	}
	return strings.Join([]string{call, id, id, id}, " ")
}
