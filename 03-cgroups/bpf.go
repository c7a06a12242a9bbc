package cgroups

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// attach loads the rules as a program and attaches it to the group; programs
// attached before are taken off after, so there is no moment without rules. The
// kernel keeps the program until the group is removed. Its memory is charged to
// the cgroup since Linux 5.11; before, RLIMIT_MEMLOCK had to be raised.
func (d Devices) attach() error {
	dir, err := openDir(d.Path)
	if err != nil {
		return err
	}
	defer dir.Close()
	old, err := d.attached(dir)
	if err != nil {
		return err
	}
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.CGroupDevice, Instructions: compile(d.Rules), License: "Apache-2.0",
	})
	if err != nil {
		return fmt.Errorf("load device program: %w", err)
	}
	defer prog.Close()
	err = link.RawAttachProgram(link.RawAttachProgramOptions{
		Target: int(dir.Fd()), Program: prog, Attach: ebpf.AttachCGroupDevice, Flags: unix.BPF_F_ALLOW_MULTI,
	})
	if err != nil {
		return fmt.Errorf("attach device program to %q: %w", d.Path, err)
	}
	return d.detach(dir, old)
}

// attached lists the device programs of this group alone (not its parents').
func (d Devices) attached(dir *os.File) ([]link.AttachedProgram, error) {
	res, err := link.QueryPrograms(link.QueryOptions{Target: int(dir.Fd()), Attach: ebpf.AttachCGroupDevice})
	if err != nil {
		return nil, fmt.Errorf("query device programs of %q: %w", d.Path, err)
	}
	return res.Programs, nil
}

// detach takes the old programs off, and verifies that one is left.
func (d Devices) detach(dir *os.File, old []link.AttachedProgram) error {
	for _, p := range old {
		prog, err := ebpf.NewProgramFromID(p.ID)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("open device program: %w", err)
		}
		err = link.RawDetachProgram(link.RawDetachProgramOptions{
			Target: int(dir.Fd()), Program: prog, Attach: ebpf.AttachCGroupDevice,
		})
		prog.Close()
		if err != nil {
			return fmt.Errorf("detach device program from %q: %w", d.Path, err)
		}
	}
	left, err := d.attached(dir)
	if err == nil && len(left) != 1 {
		err = fmt.Errorf("attach device program to %q: the kernel shows %d programs", d.Path, len(left))
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
// are still wanted in R5: a deny rule that matches one of them ends with 0, an
// allow rule strikes off those it grants, and when none is left the answer is 1.
func compile(rules []DeviceRule) asm.Instructions {
	prog := asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, 0, asm.Word), asm.And.Imm(asm.R2, 0xffff), // kind
		asm.LoadMem(asm.R5, asm.R1, 0, asm.Word), asm.RSh.Imm(asm.R5, 16), // wanted
		asm.LoadMem(asm.R3, asm.R1, 4, asm.Word), // major
		asm.LoadMem(asm.R4, asm.R1, 8, asm.Word), // minor
	}
	for i, rule := range slices.Backward(rules) {
		prog = append(prog, compileRule(rule, fmt.Sprintf("before-%d", i))...)
		// The jump target is the next instruction, whatever it is.
		prog = append(prog, asm.Mov.Reg(asm.R0, asm.R5).WithSymbol(fmt.Sprintf("before-%d", i)))
	}
	return append(prog, asm.Mov.Imm(asm.R0, 1), asm.Return())
}

// compileRule is one rule; it jumps to next when the rule has no say.
func compileRule(r DeviceRule, next string) asm.Instructions {
	var ins asm.Instructions
	kinds := map[string]int32{"b": unix.BPF_DEVCG_DEV_BLOCK, "c": unix.BPF_DEVCG_DEV_CHAR}
	if kind, ok := kinds[r.Type]; ok {
		ins = append(ins, asm.JNE.Imm(asm.R2, kind, next))
	}
	if r.Major != nil {
		ins = append(ins, asm.JNE.Imm(asm.R3, int32(*r.Major), next))
	}
	if r.Minor != nil {
		ins = append(ins, asm.JNE.Imm(asm.R4, int32(*r.Minor), next))
	}
	if r.Allow {
		return append(ins,
			asm.And.Imm(asm.R5, ^r.mask()),
			asm.JNE.Imm(asm.R5, 0, next),
			asm.Mov.Imm(asm.R0, 1), asm.Return())
	}
	return append(ins,
		asm.Mov.Reg(asm.R0, asm.R5), asm.And.Imm(asm.R0, r.mask()),
		asm.JEq.Imm(asm.R0, 0, next),
		asm.Mov.Imm(asm.R0, 0), asm.Return())
}

// mask is the access as bits.
func (r DeviceRule) mask() int32 {
	var bits int32
	for letter, bit := range map[string]int32{"m": unix.BPF_DEVCG_ACC_MKNOD, "r": unix.BPF_DEVCG_ACC_READ, "w": unix.BPF_DEVCG_ACC_WRITE} {
		if r.Type == "a" || strings.Contains(r.Access, letter) {
			bits |= bit
		}
	}
	return bits
}
