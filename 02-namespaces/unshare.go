package namespaces

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Unshare gives the running process namespaces that nobody else is in, where
// being born in them would be too early: a cgroup namespace takes the cgroup
// in which its maker is as its root, so it is made after the cgroup is joined.
//
// It acts on the calling thread. For PID and Time only future children are in
// the new namespace. User fails with EINVAL in a process of several threads,
// and a Go process has several: use [Clone]. Errors are those of unshare(2).
//
// Man page: unshare(2), namespaces(7)
type Unshare struct {
	New []Kind
}

// Do calls unshare(2) and compares the namespaces before and after.
func (u Unshare) Do() error {
	before, err := u.ids()
	if err != nil {
		return err
	}
	if err := unix.Unshare(int(flags(u.New))); err != nil {
		return os.NewSyscallError(u.String(), err)
	}
	after, err := u.ids()
	if err != nil {
		return err
	}
	for k, id := range after {
		if id == before[k] {
			return fmt.Errorf("unshare: the %s namespace is still %d", k, id)
		}
	}
	return nil
}

func (u Unshare) ids() (map[Kind]uint64, error) {
	ids := map[Kind]uint64{}
	for _, k := range u.New {
		id, err := inode("/proc/thread-self/ns/" + k.forChildren())
		if err != nil && (k != PID || !errors.Is(err, os.ErrNotExist)) { // a new one has no file before it has a PID 1
			return nil, err
		}
		ids[k] = id
	}
	return ids, nil
}

// String is unshare(1), which starts a shell in the new namespaces.
func (u Unshare) String() string {
	return "unshare " + strings.Join(options(u.New), " ")
}
