package namespaces

import (
	"fmt"
	"os"

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

// Do changes the mode.
func (p Propagation) Do() error {
	at, err := resolve("/", p.Target)
	if err != nil {
		return err
	}
	defer at.Close()
	return propagate(at, p.Mode)
}

// String is mount(8).
func (p Propagation) String() string {
	return fmt.Sprintf("mount --make-%s %s", p.Mode, quote(p.Target))
}

func propagate(at *os.File, mode string) error {
	flags, ok := propagation(mode)
	if !ok {
		return fmt.Errorf("propagation of %q: no such mode %q", at.Name(), mode)
	}
	return pathError("make "+mode, at.Name(), unix.Mount("", fdPath(at), "", flags, ""))
}
