package namespaces

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Sysctl tunes the kernel for one container. It is only for keys that belong
// to a namespace (net.*, kernel.msg*, kernel.sem, kernel.shm*, fs.mqueue.*);
// any other key would change the host.
//
// It acts on the namespaces of the calling process. A key is separated by
// dots, or by slashes if a name in it has dots ("net/ipv4/conf/eth0.1/…").
// Errors are those of write(2), and an error if another value is read back.
//
// Man page: proc_sys(5), sysctl(8)
type Sysctl struct {
	Key   string
	Value string
}

// Do writes the value and reads it back.
func (s Sysctl) Do() error {
	sys, err := os.OpenRoot("/proc/sys") // a key with ".." in it leads nowhere
	if err != nil {
		return err
	}
	defer sys.Close()
	f, err := sys.OpenFile(s.name(), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	// Into procfs and nothing else: a mount over /proc in an image could send
	// the write elsewhere (CVE-2025-52881).
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return pathError("statfs", f.Name(), err)
	}
	if st.Type != unix.PROC_SUPER_MAGIC {
		return pathError("sysctl", f.Name(), unix.EXDEV)
	}
	if _, err := f.WriteString(s.Value); err != nil {
		return err
	}
	got := make([]byte, 4096)
	n, err := f.ReadAt(got, 0)
	if n == 0 && err != nil {
		return err
	}
	return same(s.Key, normal(string(got[:n])), normal(s.Value))
}

// normal makes values comparable: the kernel separates numbers by tabs.
func normal(s string) string { return strings.Join(strings.Fields(s), " ") }

// name is the key as a path below /proc/sys.
func (s Sysctl) name() string {
	if strings.Contains(s.Key, "/") {
		return s.Key
	}
	return strings.ReplaceAll(s.Key, ".", "/")
}

// String is sysctl(8).
func (s Sysctl) String() string {
	return "sysctl -w " + quote(s.Key+"="+s.Value)
}
