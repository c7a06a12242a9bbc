package network

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Sysctl sets a switch of the kernel's network stack, such as whether packets
// are passed on from one link to another: a host with containers is a router.
//
// The file /proc/sys/net shows the namespace of the thread that opens it.
// There is no Undo: others may count on the switch by the time we end.
//
// Man page: sysctl(8), proc(5), ip(7)
type Sysctl struct {
	Key, Value string // such as net.ipv4.ip_forward, 1
}

// Do writes the value unless it is there already, and reads it back.
func (s Sysctl) Do() error {
	if s.read() == s.Value {
		return nil
	}
	if err := os.WriteFile(s.path(), []byte(s.Value), 0); err != nil {
		return fmt.Errorf("set sysctl %s: %w", s.Key, err)
	}
	if got := s.read(); got != s.Value {
		return fmt.Errorf("set sysctl %s: kernel says %q after writing %q", s.Key, got, s.Value)
	}
	return nil
}

// String returns the command that does the same.
func (s Sysctl) String() string { return fmt.Sprintf("sysctl -qw %s=%s", s.Key, quote(s.Value)) }

// path: the key's dots are the path's slashes.
func (s Sysctl) path() string {
	return filepath.Join("/proc/sys", strings.ReplaceAll(s.Key, ".", "/"))
}

func (s Sysctl) read() string {
	data, _ := os.ReadFile(s.path())
	return strings.TrimSpace(string(data))
}
