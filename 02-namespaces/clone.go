package namespaces

import (
	"slices"
	"strings"
	"syscall"
)

// Clone starts a container's first process in namespaces of its own, so that
// it sees none of the host's names: a new process is born in them, which is
// the only way to be PID 1 of a new PID namespace.
//
// A cgroup namespace is better made by [Unshare], because its root is the
// cgroup in which its first process is. A time namespace is entered by the
// child at its execve, since Linux 6.3 (clone(2) has no bit left for it), and
// then its clocks can no longer be set: see [ClockOffset].
//
// Man page: clone(2), namespaces(7)
type Clone struct {
	New    []Kind  `json:"new"`
	UIDMap []IDMap `json:",omitempty"` // only with User
	GIDMap []IDMap `json:",omitempty"` // only with User
}

// Attr is c in the words of package os/exec: the runtime passes the flags to
// clone(2), writes the maps while the child waits, and makes it the root of
// its user namespace. For maps that need newuidmap see [Start].
func (c Clone) Attr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Cloneflags:   flags(c.New) &^ Time.Flag(),
		Unshareflags: flags(c.New) & Time.Flag(),
	}
	if !slices.Contains(c.New, User) {
		return attr
	}
	attr.UidMappings, attr.GidMappings = sysMap(c.UIDMap), sysMap(c.GIDMap)
	attr.GidMappingsEnableSetgroups = maySetgroups()
	attr.Credential = &syscall.Credential{NoSetGroups: !maySetgroups()}
	return attr
}

// String is unshare(1) with the same namespaces and maps.
func (c Clone) String() string {
	words := append([]string{"unshare"}, options(c.New)...)
	for _, m := range c.UIDMap {
		words = append(words, "--map-users "+m.String())
	}
	for _, m := range c.GIDMap {
		words = append(words, "--map-groups "+m.String())
	}
	if slices.Contains(c.New, PID) {
		words = append(words, "--fork")
	}
	return strings.Join(words, " ")
}

func flags(ks []Kind) (f uintptr) {
	for _, k := range ks {
		f |= k.Flag()
	}
	return f
}

func options(ks []Kind) (words []string) {
	for _, k := range ks {
		words = append(words, kinds[k].long)
	}
	return words
}
