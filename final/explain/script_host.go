package explain

import (
	"fmt"
	"path/filepath"
	"strings"

	cgroups "cutaway/03-cgroups"
	unionfs "cutaway/04-unionfs"
	network "cutaway/06-network"
	"cutaway/final/plan"
	"cutaway/final/rootfs"
	"cutaway/final/volume"
)

// step writes one step of the host, and how to take it back.
func (s *script) step(it *plan.Item) {
	switch step := renamed(it.Step, s.rename).(type) {
	case network.Bridge:
		s.missing("ip link show "+step.Name, step.String(), "remove_bridge "+step.Name)
	case network.Firewall:
		s.missing("nft list table ip "+step.Table, step.String(), "remove_table "+step.Table)
	case unionfs.Mount:
		s.layers(step)
	case volume.File:
		step.Content = it.Step.(volume.File).Content
		s.command(step)
	case volume.Fill:
		s.line("at=$(place %s)", rootfs.Quote(step.From))
		step.Root, step.From = "/__AT__", ""
		s.command(step)
	case cgroups.Create:
		s.groups(step)
	case cgroups.Devices:
		s.devices(step)
	case cgroups.Join, cgroups.Inherit:
		s.commands(step, "; ")
	case network.Namespace:
		s.line("later umount \"$T/netns\"")
		s.commands(step, " && ")
	case network.Veth:
		s.command(step)
		s.line("later ip link delete \"$VETH\"")
	case network.Publish:
		s.command(step)
		for line := range strings.SplitSeq(step.String(), "\n") {
			s.line("later %s", strings.Replace(line, "nft add element", "nft delete element", 1))
		}
	default:
		s.command(step)
	}
}

// command writes a step as it says itself.
func (s *script) command(step plan.Step) { s.line("%s", expand(step.String())) }

// commands writes each command of a step on a line of its own: a shell that
// ends at errors (set -e) does not see those of all but the last of a row.
func (s *script) commands(step plan.Step, separator string) {
	for _, c := range commands(step.String(), separator) {
		s.line("%s", expand(c))
	}
}

// missing writes what is to be done only if something is not there yet.
func (s *script) missing(test, command, undo string) {
	s.line("if ! %s >/dev/null 2>&1; then", test)
	for _, c := range commands(command, " || ") { // what comes last is the command itself
		command = c
	}
	s.indent = "    "
	s.line("%s", command)
	s.line("later %s", undo)
	s.indent = ""
	s.line("fi")
}

// groups writes the list of groups only once.
func (s *script) groups(c cgroups.Create) {
	s.line("cgroups=(")
	for _, path := range c.Paths {
		s.line("    %s", expand(rootfs.Quote(path)))
	}
	s.line(")\nlater remove_group \"${cgroups[@]}\"\nmkdir -p \"${cgroups[@]}\"")
}

// devices writes the rules of v1; on v2 there is nothing that a shell can write.
func (s *script) devices(d cgroups.Devices) {
	if d.BPF {
		s.line("# Not done here: on cgroup v2 the rules are a BPF program, and no command writes one. Root in this container")
		s.line("# may open every device that it makes a node for; in the engine's, only those of %d rules. Of a program that", len(d.Rules))
		s.line("# is in the kernel already: bpftool cgroup attach %s cgroup_device id ID multi", expand(rootfs.Quote(d.Path)))
		return
	}
	s.commands(d, "; ")
}

// layers writes the mount of the container's tree. Of a container that was only
// planned, or was removed, there is no writable layer.
func (s *script) layers(m unionfs.Mount) {
	switch {
	case m.Thin != nil: // the kernel takes a moment to remove the device after the engine's container has ended
		device := fmt.Sprintf("%s-%d", m.Thin.Pool, m.Thin.Number)
		s.exists(filepath.Join(filepath.Dir(m.Thin.Dir), "layers", s.ID))
		s.line("for _ in {1..100}; do dmsetup status %s >/dev/null 2>&1 || break; sleep 0.1; done # the engine's may just be going\n"+
			"later remove_thin %s %s %s", device, m.Thin.Pool, device, rootfs.Quote(m.Thin.Dir))
		s.command(m)
	case m.Upper == "":
		s.exists(m.Source)
		s.command(m)
	default:
		s.line("[ -d \"$U\" ] || { # the container was only planned, or is removed")
		s.line("    U=$T/upper W=$T/work\n    mkdir \"$U\" \"$W\"\n}")
		m.Dir, m.Upper, m.Work = "/__L__", "/__U__", "/__W__"
		s.line("%s%s", long(m), expand(m.String()))
	}
	s.line("later umount \"$R\"")
}

// exists writes that the container must exist, which has its files in dir:
// nothing could stand in for them.
func (s *script) exists(dir string) {
	s.line("[ -d %s ] || {\n    echo '%s' >&2\n    exit 125\n}", rootfs.Quote(dir),
		"This storage driver keeps a whole tree for each container, and this one was only planned, or is removed.")
}

// long avoids the new way to mount, by which mount(8) hands over all names of
// layers in one string of 255 bytes.
func long(m unionfs.Mount) string {
	if len(fmt.Sprint(m.Lower)) > 250 {
		return "LIBMOUNT_FORCE_MOUNT2=always "
	}
	return ""
}
