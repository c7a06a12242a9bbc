package cgroups

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Devices decides which device nodes the container may make, read and write.
// Root in a container may mknod the host's disk; this is what keeps it from
// opening it. On v1 the rules are written to devices.deny and devices.allow. On
// v2 there is no file: the kernel asks a BPF program for each access.
//
// Man page: bpf(2), cgroups(7)
type Devices struct {
	Path  string // the group
	BPF   bool   // the group is a v2 group
	Rules []DeviceRule
}

// Do replaces the group's rules, and reads them back. EPERM on v1: the parent
// group has no such access to give.
func (d Devices) Do() error {
	if d.BPF {
		return d.attach()
	}
	for _, r := range d.Rules {
		file := "devices.deny"
		if r.Allow {
			file = "devices.allow"
		}
		if err := writeFile(filepath.Join(d.Path, file), r.String()); err != nil {
			return err
		}
	}
	return d.verify()
}

// verify compares with devices.list, unless a deny may have taken away from
// what an earlier rule allowed.
func (d Devices) verify() error {
	list, err := readLines(filepath.Join(d.Path, "devices.list"), func(l string) (string, bool) { return l, true })
	if err != nil {
		return err
	}
	last := len(d.Rules) - 1
	for last >= 0 && d.Rules[last].Allow {
		last--
	}
	for _, r := range d.Rules[last+1:] {
		if !r.in(list) {
			return fmt.Errorf("allow device %q in %q: devices.list does not have it", r, d.Path)
		}
	}
	return nil
}

// in finds the rule in the lines of devices.list: "c 1:3 rwm".
func (r DeviceRule) in(list []string) bool {
	head, _, _ := strings.Cut(r.String(), " "+r.Access)
	for _, line := range list {
		if line == "a *:* rwm" {
			return true
		}
		access, found := strings.CutPrefix(line, head+" ")
		if found && strings.Trim(r.Access, access) == "" {
			return true
		}
	}
	return false
}

// String is the rule as devices.allow wants it.
func (r DeviceRule) String() string {
	if r.Type == "a" {
		return "a"
	}
	number := func(n *int64) string {
		if n == nil {
			return "*"
		}
		return strconv.FormatInt(*n, 10)
	}
	return r.Type + " " + number(r.Major) + ":" + number(r.Minor) + " " + r.Access
}

func (d Devices) String() string {
	if d.BPF {
		return fmt.Sprintf("# a BPF program with %d rules: bpftool cgroup attach %s cgroup_device id ID multi", len(d.Rules), quote(d.Path))
	}
	lines := make([]string, len(d.Rules))
	for i, r := range d.Rules {
		file := "devices.deny"
		if r.Allow {
			file = "devices.allow"
		}
		lines[i] = "echo " + quote(r.String()) + " > " + quote(filepath.Join(d.Path, file))
	}
	return strings.Join(lines, "; ")
}

// openDir opens a group's directory, as bpf(2) wants it.
func openDir(path string) (*os.File, error) {
	if err := onCgroupFS(path); err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.Open(path)
}
