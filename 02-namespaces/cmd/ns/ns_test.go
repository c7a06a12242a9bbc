package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"cutaway/chapters/lab"
)

// asNS makes this test binary the program that it tests.
const asNS = "CUTAWAY_AS_NS"

func TestMain(m *testing.M) {
	if os.Getenv(asNS) != "" {
		main()
		os.Exit(0)
	}
	lab.Main(m, lab.Plain)
}

// command is ns, as the user that the test runs as, or as nobody.
func command(as uint32, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), asNS+"=1")
	cmd.Dir = "/"
	if as != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: as, Gid: as}}
	}
	return cmd
}

func run1(t *testing.T, cmd *exec.Cmd) (string, error) {
	t.Helper()
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	t.Logf("ns %s: %v\n%s%s", strings.Join(cmd.Args[1:], " "), err, out, problem.String())
	if err != nil && problem.Len() > 0 {
		err = errors.New(problem.String())
	}
	return string(out), err
}

// table is what ns printed: a row's name → outside, inside. Columns are
// separated by three spaces.
func table(t *testing.T, text string) map[string][2]string {
	t.Helper()
	rows := map[string][2]string{}
	for line := range strings.Lines(text) {
		var cells []string
		for cell := range strings.SplitSeq(strings.TrimRight(line, " \n"), "   ") {
			if cell = strings.TrimSpace(cell); cell != "" {
				cells = append(cells, cell)
			}
		}
		if len(cells) == 3 {
			rows[cells[0]] = [2]string{cells[1], cells[2]}
		}
	}
	return rows
}

// What must differ, or hold, on the two sides. "*" = anything.
var wanted = map[string]map[string][2]string{
	"user":    {"user": {"*", "0"}, "may make a device": {"*", "no: operation not permitted"}, "may set the hostname": {"*", "yes"}, "may read /etc/shadow": {"*", "no: permission denied"}},
	"mount":   {"file system at " + os.TempDir(): {"*", "tmpfs"}, "propagation of /": {"*", "private"}},
	"uts":     {"hostname": {"*", "box"}, "domain name": {"*", "example"}},
	"ipc":     {"System V queue is there": {"true", "false"}, "POSIX queue is there": {"true", "false"}},
	"pid":     {"processes in /proc": {"*", "1"}, "numbers of the child": {"*", "1"}},
	"network": {"interfaces": {"*", "lo"}},
	"time":    {"CLOCK_BOOTTIME": {"*", "*"}},
}

func TestEveryKindDiffersInsideAndOutside(t *testing.T) {
	for kind, facts := range wanted {
		for _, as := range users() {
			t.Run(fmt.Sprint(kind, " as ", as), func(t *testing.T) {
				out, err := run1(t, command(as, kind))
				require.NoError(t, err)
				rows := table(t, out)
				ids := rows["namespace"]
				require.NotEmpty(t, ids[0])
				require.NotEqual(t, ids[0], ids[1])
				for name, want := range facts {
					for side := range want {
						require.NotEmpty(t, rows[name][side], name)
						if want[side] != "*" {
							require.Equal(t, want[side], rows[name][side], name)
						}
					}
				}
			})
		}
	}
}

// users are the current one and, if that is root, another.
func users() []uint32 {
	if os.Geteuid() == 0 {
		return []uint32{0, 65534}
	}
	return []uint32{0}
}

func TestCgroupOfTheChildIsItsRoot(t *testing.T) {
	lab.NeedRoot(t)
	cmd := command(0, "cgroup")
	out, err := run1(t, cmd)
	require.NoError(t, err)
	rows := table(t, out)
	require.Equal(t, "/", rows["cgroup of the child"][1])
	require.Contains(t, rows["cgroup of the child"][0], fmt.Sprintf("/cutaway-%d", cmd.Process.Pid))
	require.Contains(t, rows["cgroup of PID 1"][1], "/..")
}

func TestWhoMayNotMakeACgroupStaysInTheirOwn(t *testing.T) {
	lab.NeedRoot(t) // to become somebody else
	out, err := run1(t, command(65534, "cgroup"))
	require.NoError(t, err)
	ids := table(t, out)["namespace"]
	require.NotEqual(t, ids[0], ids[1])
	require.Equal(t, "/", table(t, out)["cgroup of the child"][1])
}

func TestAllRunsACommandInAContainerAndReturnsItsStatus(t *testing.T) {
	for _, as := range users() {
		out, err := run1(t, command(as, "all", "sh", "-c", "hostname; echo $$; id -u; ls /sys/class/net 2>/dev/null | wc -l >/dev/null; exit 4"))
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		require.Equal(t, 4, exit.ExitCode())
		require.Equal(t, "box\n1\n0\n", out)
	}
}

func TestAProcess1DiesOfASignalOnlyBelowInit(t *testing.T) {
	script := []string{"sh", "-c", "kill $$; echo still here"}
	out, err := run1(t, command(0, append([]string{"all"}, script...)...))
	require.NoError(t, err)
	require.Equal(t, "still here\n", out)
	_, err = run1(t, command(0, append([]string{"all", "/proc/self/exe", "init"}, script...)...))
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 128+int(syscall.SIGTERM), exit.ExitCode())
	_, err = run1(t, command(0, "init", "no-such-program"))
	require.ErrorContains(t, err, "no-such-program")
}

func TestAllSaysWhatFailedInside(t *testing.T) {
	_, err := run1(t, command(0, "all", "no-such-program"))
	require.EqualError(t, err, "ns: exec: \"no-such-program\": executable file not found in $PATH\n")
}

func TestEnterFindsTheContainer(t *testing.T) {
	for _, as := range users() {
		box := command(as, "all", "sh", "-c", "echo ready; read end")
		in, err := box.StdinPipe()
		require.NoError(t, err)
		out, err := box.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, box.Start())
		ready := make([]byte, len("ready\n"))
		_, err = out.Read(ready)
		require.NoError(t, err)

		said, err := run1(t, command(0, "enter", childOf(t, box.Process.Pid), "sh", "-c", "hostname; id -u; cat /proc/1/comm"))
		require.NoError(t, err)
		require.Equal(t, "box\n0\nsh\n", said)
		require.NoError(t, in.Close())
		_ = box.Wait()
	}
}

// childOf returns the only child of a process.
func childOf(t *testing.T, pid int) string {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	require.NoError(t, err)
	var children string
	for _, task := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		require.NoError(t, err)
		children += string(text)
	}
	return strings.TrimSpace(children)
}

func TestListIsWhatProcSays(t *testing.T) {
	out, err := run1(t, command(0, "list"))
	require.NoError(t, err)
	link, err := os.Readlink("/proc/self/ns/net")
	require.NoError(t, err)
	require.Contains(t, out, "network  "+link+"\n")
	_, err = run1(t, command(0, "list", "999999999"))
	require.ErrorContains(t, err, "no such file")
	_, err = run1(t, command(0, "nothing"))
	require.ErrorContains(t, err, "usage:")
	require.ErrorContains(t, err, "ns all")
}
