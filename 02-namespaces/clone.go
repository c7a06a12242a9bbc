package namespaces

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Clone starts a container's first process in namespaces of its own, so that
// it sees none of the host's names: a new process is born in them, which is
// the only way to be PID 1 of a new PID namespace.
//
// The cgroup namespace is better left to [Unshare], because its root is the
// cgroup in which its first process was. A time namespace is entered by the
// child at its execve (clone(2) has no bit left for it).
//
// Man page: clone(2), namespaces(7)
type Clone struct {
	New    []Kind  `json:"new"`
	UIDMap []IDMap `json:",omitempty"` // only with User
	GIDMap []IDMap `json:",omitempty"` // only with User
}

// Attr is c in the words of package os/exec: the runtime passes the flags to
// clone(2), and writes the maps while the child waits.
func (c Clone) Attr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Cloneflags:                 flags(c.New) &^ Time.Flag(),
		Unshareflags:               flags(c.New) & Time.Flag(),
		UidMappings:                sysMap(c.UIDMap),
		GidMappings:                sysMap(c.GIDMap),
		GidMappingsEnableSetgroups: os.Geteuid() == 0, // user_namespaces(7): others must deny it
	}
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
	if flags(c.New)&PID.Flag() != 0 {
		words = append(words, "--fork")
	}
	return strings.Join(words, " ")
}

// IDMap is one line of /proc/PID/uid_map or gid_map: Count numbers from
// Inside on, in the new user namespace, are those from Outside on in its
// parent.
type IDMap struct {
	Inside  uint32 `json:"inside"`
	Outside uint32 `json:"outside"`
	Count   uint32 `json:"count"`
}

// String is m as unshare(1) takes it.
func (m IDMap) String() string { return fmt.Sprintf("%d:%d:%d", m.Inside, m.Outside, m.Count) }

func sysMap(maps []IDMap) []syscall.SysProcIDMap {
	var out []syscall.SysProcIDMap
	for _, m := range maps {
		out = append(out, syscall.SysProcIDMap{ContainerID: int(m.Inside), HostID: int(m.Outside), Size: int(m.Count)})
	}
	return out
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
