package namespaces

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Propagation keeps a container's mounts from appearing on the host: a new
// mount namespace is a copy of the old one, and a copy of a shared mount is
// still its peer. It also makes pivot_root possible, which refuses shared
// mounts (EINVAL).
//
// Mode is private, slave, shared or unbindable, or one of them with an "r"
// before it for the whole tree. Errors are those of mount(2).
//
// Man page: mount_namespaces(7), mount(2)
type Propagation struct {
	Target string // a mount point
	Mode   string // "rprivate", "rslave", "shared", …
}

// modes are those of mount_namespaces(7), "SHARED SUBTREES".
var modes = map[string]uintptr{
	"private":    unix.MS_PRIVATE,
	"slave":      unix.MS_SLAVE,
	"shared":     unix.MS_SHARED,
	"unbindable": unix.MS_UNBINDABLE,
}

// Do changes the mode.
func (p Propagation) Do() error {
	mode, recursive := strings.CutPrefix(p.Mode, "r")
	flags, ok := modes[mode]
	if !ok {
		return fmt.Errorf("propagation of %q: no such mode %q", p.Target, p.Mode)
	}
	if recursive {
		flags |= unix.MS_REC
	}
	return pathError("make "+p.Mode, p.Target, unix.Mount("", p.Target, "", flags, ""))
}

// String is mount(8).
func (p Propagation) String() string {
	return fmt.Sprintf("mount --make-%s %s", p.Mode, quote(p.Target))
}
