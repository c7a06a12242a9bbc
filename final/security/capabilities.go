package security

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// names lists the capabilities by number (capability.h).
var names = [...]string{
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
	"SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
	"IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
	"SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
	"LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
	"WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
}

// Default is what Docker leaves to a container's root (moby,
// daemon/pkg/oci/caps/defaults.go).
var Default = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL",
	"CAP_AUDIT_WRITE",
}

// Tweak is base with what --cap-add and --cap-drop say: names with or without
// CAP_, in any case, or ALL. An unknown name is an error.
func Tweak(base, add, drop []string) ([]string, error) {
	add, err := known(add)
	if err != nil {
		return nil, err
	}
	drop, err = known(drop)
	if err != nil {
		return nil, err
	}
	var keep []string
	for _, n := range names {
		n = "CAP_" + n
		has := slices.Contains(base, n) || slices.Contains(add, "ALL")
		if slices.Contains(drop, "ALL") {
			has = slices.Contains(add, "ALL")
		}
		if slices.Contains(add, n) || has && !slices.Contains(drop, n) {
			keep = append(keep, n)
		}
	}
	return keep, nil
}

// known brings names into the form CAP_X.
func known(in []string) ([]string, error) {
	var out []string
	for _, n := range in {
		short := strings.TrimPrefix(strings.ToUpper(n), "CAP_")
		switch {
		case short == "ALL":
			out = append(out, short)
		case slices.Contains(names[:], short):
			out = append(out, "CAP_"+short)
		default:
			return nil, fmt.Errorf("unknown capability %q: see capabilities(7) for the names", n)
		}
	}
	return out, nil
}

// mask is a set of capabilities as the kernel's bits. Names that this kernel
// does not know are left out.
func mask(caps []string) (m uint64, err error) {
	for _, c := range caps {
		i := slices.Index(names[:], strings.TrimPrefix(c, "CAP_"))
		if i < 0 {
			return 0, fmt.Errorf("unknown capability %q", c)
		}
		m |= 1 << i
	}
	return m, nil
}

// Bounding limits what the process and all its children can ever have: an
// execve of a set-user-ID program or of a file with capabilities grants nothing
// beyond it.
//
// Needs CAP_SETPCAP. Errors are those of prctl(2).
//
// Man page: capabilities(7), PR_CAPBSET_DROP(2const)
type Bounding struct{ Keep []string }

// Do drops every other capability that the kernel knows, and reads the set back.
func (b Bounding) Do() error {
	keep, err := mask(b.Keep)
	if err != nil {
		return err
	}
	for i := range uintptr(64) {
		have, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, i, 0, 0, 0)
		if err != nil {
			return nil // EINVAL: beyond the last that this kernel has
		}
		if have == 0 || keep>>i&1 == 1 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, i, 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d from the bounding set: %w", i, os.NewSyscallError("prctl", err))
		}
	}
	return nil
}

// String is capsh(1), which starts a shell.
func (b Bounding) String() string {
	var drop []string
	for _, n := range names {
		if !slices.Contains(b.Keep, "CAP_"+n) {
			drop = append(drop, "cap_"+strings.ToLower(n))
		}
	}
	return "capsh --drop=" + strings.Join(drop, ",") + " --"
}

// Capabilities sets what the process can do as root without being all of root:
// Docker leaves 14 of the 41 powers into which the kernel divides root.
//
// A set may not be larger than what the thread has. Errors are those of
// capset(2).
//
// Man page: capabilities(7), capset(2)
type Capabilities struct{ Effective, Permitted, Inheritable, Ambient []string }

// Do sets all four sets of the calling thread and reads three of them back.
func (c Capabilities) Do() error {
	var sets [4]uint64
	for i, s := range [][]string{c.Effective, c.Permitted, c.Inheritable, c.Ambient} {
		m, err := mask(s)
		if err != nil {
			return err
		}
		sets[i] = m
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var was, data, now [2]unix.CapUserData
	if err := unix.Capget(&header, &was[0]); err != nil {
		return os.NewSyscallError("capget", err)
	}
	for i := range data {
		low := i * 32
		have := was[i].Permitted // a root without some of its powers cannot give them
		data[i] = unix.CapUserData{
			Effective:   uint32(sets[0]>>low) & have,
			Permitted:   uint32(sets[1]>>low) & have,
			Inheritable: uint32(sets[2]>>low) & have,
		}
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return os.NewSyscallError("capset", err)
	}
	if err := unix.Capget(&header, &now[0]); err != nil {
		return os.NewSyscallError("capget", err)
	}
	if now != data {
		return fmt.Errorf("capabilities are %x after capset, not %x", now, data)
	}
	return raise(sets[3])
}

// raise makes the ambient set m: what a program keeps that is not root.
func raise(m uint64) error {
	for i := range uintptr(len(names)) {
		if m>>i&1 == 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, i, 0, 0); err != nil {
			return fmt.Errorf("raise ambient capability %s: %w", names[i], os.NewSyscallError("prctl", err))
		}
	}
	return nil
}

// String is setpriv(1), which starts a shell.
func (c Capabilities) String() string {
	list := "-all"
	for _, n := range c.Permitted {
		list += ",+" + strings.ToLower(strings.TrimPrefix(n, "CAP_"))
	}
	return "setpriv --bounding-set=" + list + " --inh-caps=-all bash"
}

// NoNewPrivileges makes execve(2) powerless to give the process anything: no
// set-user-ID bit and no file capability works any more, for it and all its
// children, for ever.
//
// Man page: PR_SET_NO_NEW_PRIVS(2const)
type NoNewPrivileges struct{}

// Do sets the bit and reads it back.
func (NoNewPrivileges) Do() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	set, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	if err != nil || set != 1 {
		return fmt.Errorf("no_new_privs is %d after being set: %w", set, err)
	}
	return nil
}

// String is setpriv(1), which starts a shell.
func (NoNewPrivileges) String() string { return "setpriv --no-new-privs bash" }
