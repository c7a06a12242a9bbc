package namespaces

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Loopback switches on lo, the one interface that a new network namespace
// has: it is there, but down, and until it is up even 127.0.0.1 is
// unreachable. Wires to the outside are the network chapter's.
//
// Man page: network_namespaces(7), netdevice(7)
type Loopback struct{}

// Do sets the flag IFF_UP and reads it back.
func (Loopback) Do() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0) // any socket will do
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return os.NewSyscallError("ioctl SIOCSIFFLAGS lo", err)
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, lo); err != nil {
		return os.NewSyscallError("ioctl SIOCGIFFLAGS lo", err)
	}
	if lo.Uint16()&unix.IFF_UP == 0 {
		return fmt.Errorf("set lo up: it is down")
	}
	return nil
}

// String is ip(8).
func (Loopback) String() string { return "ip link set lo up" }
