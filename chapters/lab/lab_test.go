package lab

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// leakVar makes the helper tests below leave something behind; the run that they are part of has to fail.
const leakVar = "CUTAWAY_LAB_LEAK"

// TestMain runs these tests twice: in a sandbox and, as root, in Root mode.
func TestMain(m *testing.M) {
	if os.Getenv(leakVar) != "" {
		patience = time.Second / 2
	}
	code := Wrap(m, Sandbox).Run()
	if !isInside() {
		code = max(code, Wrap(m, Root).Run())
	}
	os.Exit(code)
}

func TestTestsAreAloneInTheirNamespaces(t *testing.T) {
	require.Equal(t, 1, os.Getppid(), "the parent is PID 1 of a new PID namespace")
	links, err := net.Interfaces()
	require.NoError(t, err)
	for _, l := range links {
		require.NotEqual(t, "eth0", l.Name)
	}
	require.NoError(t, unix.Sethostname([]byte("lab")), "a sandbox has a hostname of its own")
	dir := t.TempDir()
	require.NoError(t, unix.Mount("lab", dir, "tmpfs", 0, ""), "a sandbox may mount")
	require.NoError(t, unix.Unmount(dir, 0))
}

// TestNobodyIsDeafToCtrlC runs itself as a shell runs what is in the background.
func TestNobodyIsDeafToCtrlC(t *testing.T) {
	const deaf = "CUTAWAY_LAB_DEAF"
	if os.Getenv(deaf) != "" {
		require.ErrorContains(t, exec.Command("sh", "-c", "kill -INT $$").Run(), "interrupt")
		return
	}
	cmd := exec.Command("sh", "-c", `trap "" INT; exec "$@"`, "sh", self(), "-test.run=^TestNobodyIsDeafToCtrlC$", "-test.count=1")
	cmd.Env = append(os.Environ(), deaf+"=1", stageVar+"=", tierVar+"=")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestLoopbackAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

func TestOrphansAreReaped(t *testing.T) {
	out, err := exec.Command("sh", "-c", "sleep 0.01 >/dev/null 2>&1 & echo $!").Output()
	require.NoError(t, err)
	require.NotEmpty(t, out) // the search for leftovers does the rest
}

func TestBothModesAreRootButOnlyOneOnTheHost(t *testing.T) {
	require.Zero(t, os.Geteuid())
	err := unix.Mknod(t.TempDir()+"/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3)))
	if hostRoot() {
		require.NoError(t, err)
		return
	}
	require.ErrorIs(t, err, unix.EPERM)
}

func TestCgroupNamesDiffer(t *testing.T) {
	one, other := CgroupName(t), CgroupName(t)
	require.NotEqual(t, one, other)
	require.Contains(t, one, "cutaway-lab-")
}

func TestEveryKindOfLeakFailsTheRun(t *testing.T) {
	for kind, want := range map[string]string{
		"descriptor": "/dev/zero",
		"mount":      "left-mounted",
		"link":       "network link left0",
		"process":    "(sleep)",
		"none":       "",
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			requireLeak(t, kind, want)
		})
	}
}

func TestLeftCgroupFailsTheRunAndIsSwept(t *testing.T) {
	if !hostRoot() {
		t.Skip("this test is for the second run, in Root mode")
	}
	out := requireLeak(t, "cgroup", "cgroup /")
	for line := range strings.Lines(out) {
		if dir, ok := strings.CutPrefix(strings.TrimSpace(line), "cgroup "); ok {
			require.NoDirExists(t, dir)
		}
	}
}

func requireLeak(t *testing.T, kind, want string) string {
	t.Helper()
	cmd := exec.Command(self(), "-test.run=^TestHelperLeaves$", "-test.count=1")
	cmd.Env = append(os.Environ(), leakVar+"="+kind, stageVar+"=", tierVar+"=")
	out, err := cmd.CombinedOutput()
	if want == "" {
		require.NoError(t, err, "%s", out)
		return ""
	}
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "a run with a leak succeeded: %s", out)
	require.Equal(t, 1, exit.ExitCode())
	require.Contains(t, string(out), "left behind")
	require.Contains(t, string(out), want)
	return string(out)
}

// TestHelperLeaves is no test: it is run by TestEveryKindOfLeakFailsTheRun in a sandbox of its own.
func TestHelperLeaves(t *testing.T) {
	switch os.Getenv(leakVar) {
	case "descriptor":
		_, err := unix.Open("/dev/zero", unix.O_RDONLY, 0)
		require.NoError(t, err)
	case "mount":
		dir, err := os.MkdirTemp("", "left-mounted")
		require.NoError(t, err)
		require.NoError(t, unix.Mount("lab", dir, "tmpfs", 0, ""))
	case "link":
		require.NoError(t, netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "left0"}}))
	case "cgroup":
		if hostRoot() {
			require.NoError(t, os.Mkdir(filepath.Join(cgroupMounts()[0], CgroupName(t)), 0o755))
		}
	case "process":
		require.NoError(t, exec.Command("sleep", "1000").Start())
	}
}

func TestVersionsAreComparedAsNumbers(t *testing.T) {
	require.False(t, older("3.10"))
	require.True(t, older("999.0"))
}
