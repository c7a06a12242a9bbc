package rootfs

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
	"cutaway/chapters/lab"
)

// childVar names a function of children: this binary is then a child that a
// test has started, and not the tests.
const childVar = "ROOTFS_TEST_CHILD"

// children are in a user namespace. The arguments are the test's.
var children = map[string]func(args []string) error{"locked": lockedChild, "device": deviceChild}

func TestMain(m *testing.M) {
	if child, ok := children[os.Getenv(childVar)]; ok {
		if err := child(os.Args[1:]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	lab.Main(m, lab.RootOrSandbox)
}

// child is a command that runs one of children, in user and mount namespaces.
func child(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), childVar+"="+name)
	own := []namespaces.IDMap{{Inside: 0, Outside: uint32(os.Geteuid()), Count: 1}}
	cmd.SysProcAttr = namespaces.Clone{New: []namespaces.Kind{namespaces.User, namespaces.Mnt}, UIDMap: own, GIDMap: own}.Attr()
	return cmd
}

// inMounts runs f on a thread with private mounts of its own.
func inMounts(f func() error) error {
	return namespaces.OnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return err
		}
		if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
			return err
		}
		return f()
	})
}

// do does steps in their order.
func do(steps ...namespaces.Step) error {
	for _, s := range steps {
		if err := s.Do(); err != nil {
			return err
		}
	}
	return nil
}

// mountLine returns the fields of the last mountinfo line for a mount point,
// as the calling thread sees it.
func mountLine(target string) ([]string, error) {
	f, err := os.Open("/proc/thread-self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var found []string
	for s := bufio.NewScanner(f); s.Scan(); {
		if fields := strings.Fields(s.Text()); fields[4] == target {
			found = fields
		}
	}
	if found == nil {
		return nil, fmt.Errorf("%s: %w", target, os.ErrNotExist)
	}
	return found, nil
}

// write makes a file and the directories above it.
func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}
