package cgroups

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Devices decides which device nodes the container may make, read and write.
// Root in a container may mknod the host's disk; this is what keeps it from
// opening it. On v2 there is no file: the kernel asks a BPF program for each
// access. On v1 the rules are written to devices.deny and devices.allow.
//
// Man page: bpf(2), cgroups(7)
type Devices struct {
	Path  string // the group
	BPF   bool   // the group is a v2 group
	Rules []DeviceRule
}

// DeviceRule allows or denies access to device nodes. Of the rules that match,
// the last decides; a device that no rule mentions is as free as in the parent.
type DeviceRule struct {
	Allow  bool
	Type   string // "c" character, "b" block; "a" all devices, then without numbers
	Major  *int64 // nil: any
	Minor  *int64 // nil: any
	Access string // of r(ead), w(rite), m(knod)
}

// Do adds the rules to those of the group, and reads them back. On v2 an access
// must be allowed by every program of the group and of those above it; on v1 the
// last rule decides. EPERM on v1: the parent group has no such access to give.
func (d Devices) Do() error {
	if d.BPF {
		return d.attach()
	}
	for _, r := range d.Rules {
		err := writeFile(d.file(r), r.String())
		list, err2 := os.ReadFile(filepath.Join(d.Path, "devices.list"))
		if err == nil && err2 == nil && r.Allow && !r.in(string(list)) {
			err = fmt.Errorf("allow device %q in %q: devices.list does not have it", r, d.Path)
		}
		if err := errors.Join(err, err2); err != nil {
			return err
		}
	}
	return nil
}

func (d Devices) file(r DeviceRule) string {
	return filepath.Join(d.Path, map[bool]string{true: "devices.allow", false: "devices.deny"}[r.Allow])
}

// in finds the rule in the lines of devices.list: "c 1:3 rwm".
func (r DeviceRule) in(list string) bool {
	for line := range strings.Lines(list) {
		access, found := strings.CutPrefix(strings.TrimSpace(line), strings.TrimSuffix(r.String(), r.Access))
		if line == "a *:* rwm\n" || found && strings.Trim(r.Access, access) == "" {
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
		lines[i] = "echo " + quote(r.String()) + " > " + quote(d.file(r))
	}
	return strings.Join(lines, "; ")
}

// attach loads the rules as a program and attaches it to the group; then it looks
// for it among the group's. The kernel keeps it until the group is removed. Its
// memory is charged to the cgroup since Linux 5.11; before, RLIMIT_MEMLOCK had to
// be raised.
func (d Devices) attach() error {
	dir, err := os.Open(d.Path)
	if err != nil {
		return err
	}
	defer dir.Close()
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.CGroupDevice, Instructions: compile(d.Rules), License: "Apache-2.0"})
	if err != nil {
		return fmt.Errorf("load device program: %w", err)
	}
	defer prog.Close()
	o := link.RawAttachProgramOptions{Target: int(dir.Fd()), Program: prog, Attach: ebpf.AttachCGroupDevice, Flags: unix.BPF_F_ALLOW_MULTI}
	if err := link.RawAttachProgram(o); err != nil {
		return fmt.Errorf("attach device program to %q: %w", d.Path, err)
	}
	info, err := prog.Info()
	if err != nil {
		return err
	}
	have, err := link.QueryPrograms(link.QueryOptions{Target: o.Target, Attach: o.Attach})
	if id, _ := info.ID(); err == nil && !slices.ContainsFunc(have.Programs, func(p link.AttachedProgram) bool { return p.ID == id }) {
		err = fmt.Errorf("attach device program to %q: the kernel does not show it", d.Path)
	}
	return err
}

// compile writes the program. The kernel passes it one access at a time
// (struct bpf_cgroup_dev_ctx in linux/bpf.h):
//
//	u32 access_type   the kind of node in the low half, what is wanted in the high half
//	u32 major, minor
//
// It goes through the rules from the last to the first, with the accesses that
// are still wanted in R5: a deny rule that matches one of them ends it with 0, an
// allow rule strikes off those it grants, and when none is left the answer is 1.
func compile(rules []DeviceRule) asm.Instructions {
	prog := asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, 0, asm.Word), asm.And.Imm(asm.R2, 0xffff), // kind
		asm.LoadMem(asm.R5, asm.R1, 0, asm.Word), asm.RSh.Imm(asm.R5, 16), // wanted
		asm.LoadMem(asm.R3, asm.R1, 4, asm.Word), // major
		asm.LoadMem(asm.R4, asm.R1, 8, asm.Word), // minor
		asm.Mov.Imm(asm.R0, 0),                   // the answer
	}
	for i, rule := range slices.Backward(rules) {
		prog = append(prog, rule.compile(fmt.Sprint("after rule ", i))...)
	}
	return append(prog, asm.Mov.Imm(asm.R0, 1).WithSymbol("allow"), asm.Return().WithSymbol("deny"))
}

// compile is one rule; it jumps to next, its own end, when it has no say.
func (r DeviceRule) compile(next string) asm.Instructions {
	kind := map[string]*int64{"b": new(int64(unix.BPF_DEVCG_DEV_BLOCK)), "c": new(int64(unix.BPF_DEVCG_DEV_CHAR))}[r.Type]
	var ins asm.Instructions
	for register, want := range map[asm.Register]*int64{asm.R2: kind, asm.R3: r.Major, asm.R4: r.Minor} {
		if want != nil {
			ins = append(ins, asm.JNE.Imm(register, int32(*want), next))
		}
	}
	if r.Allow {
		ins = append(ins, asm.And.Imm(asm.R5, ^r.mask()), asm.JEq.Imm(asm.R5, 0, "allow"))
	} else {
		ins = append(ins, asm.JSet.Imm(asm.R5, r.mask(), "deny"))
	}
	return append(ins, asm.Mov.Reg(asm.R5, asm.R5).WithSymbol(next)) // does nothing: a place to jump to
}

// mask is the access as bits.
func (r DeviceRule) mask() int32 {
	var bits int32
	for i, letter := range "mrw" { // BPF_DEVCG_ACC_MKNOD 1, _READ 2, _WRITE 4
		if r.Type == "a" || strings.ContainsRune(r.Access, letter) {
			bits |= 1 << i
		}
	}
	return bits
}
