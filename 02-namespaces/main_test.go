package namespaces_test

import (
	"bufio"
	"fmt"
	"io"
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
const childVar = "NAMESPACES_TEST_CHILD"

// children are the roles that this binary plays when a test starts it again.
// The arguments are the test's.
var children = map[string]func(args []string) error{
	"become": becomeChild,
	"init":   initChild,
	"lost":   lostChild,
}

func TestMain(m *testing.M) {
	if child, ok := children[os.Getenv(childVar)]; ok {
		if err := child(os.Args[1:]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	mode := lab.Sandbox
	if os.Geteuid() == 0 {
		mode = lab.Root
	}
	lab.Main(m, mode)
}

// child is a command that runs one of children.
func child(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), childVar+"="+name)
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

// mount is mount(2) as a step.
type mount struct {
	source, target, kind string
	flags                uintptr
}

func (m mount) Do() error {
	if err := unix.Mount(m.source, m.target, m.kind, m.flags, ""); err != nil {
		return &os.PathError{Op: "mount", Path: m.target, Err: err}
	}
	return nil
}

func (m mount) String() string { return "mount -t " + m.kind + " " + m.source + " " + m.target }

// do does steps in their order.
func do(steps ...namespaces.Step) error {
	for _, s := range steps {
		if err := s.Do(); err != nil {
			return err
		}
	}
	return nil
}

// sleeper starts a process in new namespaces that stays until the test ends.
func sleeper(t *testing.T, c namespaces.Clone) int {
	t.Helper()
	cmd := exec.Command("cat")
	cmd.SysProcAttr = c.Attr()
	stop, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		stop.Close()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

// ownMap maps 0 inside to the caller outside.
func ownMap() []namespaces.IDMap {
	return []namespaces.IDMap{{Inside: 0, Outside: uint32(os.Geteuid()), Count: 1}}
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

// line reads one line.
func line(t *testing.T, r io.Reader) string {
	t.Helper()
	text, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(text)
}
