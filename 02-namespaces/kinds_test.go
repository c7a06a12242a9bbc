package namespaces_test

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
	"cutaway/chapters/lab"
)

func TestNamesStayInTheUTSNamespace(t *testing.T) {
	before, err := os.Hostname()
	require.NoError(t, err)
	var out []byte
	err = namespaces.OnThread(func() (err error) {
		if err = do(
			namespaces.Unshare{New: []namespaces.Kind{namespaces.UTS}},
			namespaces.Hostname{Name: "box"},
			namespaces.Domainname{Name: "example"},
		); err != nil {
			return err
		}
		out, err = exec.Command("cat", "/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname").Output()
		return err
	})
	require.NoError(t, err)
	require.Equal(t, "box\nexample\n", string(out))
	after, err := os.Hostname()
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestNamesOfMoreThan64BytesAreRefused(t *testing.T) {
	long := strings.Repeat("x", 65)
	require.ErrorIs(t, namespaces.Hostname{Name: long}.Do(), unix.EINVAL)
	require.ErrorIs(t, namespaces.Domainname{Name: long}.Do(), unix.EINVAL)
	require.Equal(t, "hostname 'a b'", namespaces.Hostname{Name: "a b"}.String())
	require.Equal(t, "domainname ''", namespaces.Domainname{}.String())
}

func TestProcessHasANumberInEveryPIDNamespace(t *testing.T) {
	pid := sleeper(t, namespaces.Clone{New: []namespaces.Kind{namespaces.PID}})
	pids, err := namespaces.PIDs(pid)
	require.NoError(t, err)
	require.Equal(t, []int{pid, 1}, pids)
	_, err = namespaces.PIDs(1 << 30)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// initChild is PID 1.
func initChild(args []string) error {
	status, err := namespaces.Init(args)
	if err == nil {
		os.Exit(status)
	}
	return err
}

func TestInitReturnsTheCommandsStatus(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -KILL $$": 137} {
		cmd := child("init", "sh", "-c", script)
		cmd.SysProcAttr = namespaces.Clone{New: []namespaces.Kind{namespaces.PID}}.Attr()
		_ = cmd.Run()
		require.Equal(t, want, cmd.ProcessState.ExitCode(), script)
	}
	require.Error(t, initChild([]string{"no-such-program"}))
}

func TestInitReapsOrphans(t *testing.T) {
	// The orphan's parent ends first. When it ends itself, it must go from
	// /proc: as a zombie it would stay.
	script := `mount -t proc proc /proc
		orphan=$(sh -c 'sleep 0.05 >/dev/null & echo $!')
		i=0
		while [ -e /proc/$orphan ] && [ $i -lt 500 ]; do sleep 0.02; i=$((i+1)); done
		[ ! -e /proc/$orphan ] && echo reaped`
	cmd := child("init", "sh", "-c", script)
	cmd.SysProcAttr = namespaces.Clone{New: []namespaces.Kind{namespaces.PID, namespaces.Mnt}}.Attr()
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, "reaped\n", string(out))
}

func TestInitPassesSignalsOn(t *testing.T) {
	cmd := child("init", "sh", "-c", `trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done`)
	cmd.SysProcAttr = namespaces.Clone{New: []namespaces.Kind{namespaces.PID}}.Attr()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	require.Equal(t, "ready", line(t, out))
	require.NoError(t, cmd.Process.Signal(unix.SIGTERM))
	_ = cmd.Wait()
	require.Equal(t, 9, cmd.ProcessState.ExitCode())
}

func TestNewNetworkNamespaceHasNoLoopbackUntilItIsUp(t *testing.T) {
	var before, after error
	err := namespaces.OnThread(func() error {
		if err := (namespaces.Unshare{New: []namespaces.Kind{namespaces.Net}}).Do(); err != nil {
			return err
		}
		before = sendToSelf()
		if err := (namespaces.Loopback{}).Do(); err != nil {
			return err
		}
		after = sendToSelf()
		return nil
	})
	require.NoError(t, err)
	require.ErrorIs(t, before, unix.ENETUNREACH)
	require.NoError(t, after)
}

// sendToSelf makes a UDP socket on this thread, where net.Dial might not.
func sendToSelf() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Connect(fd, &unix.SockaddrInet4{Port: 9, Addr: [4]byte(net.IPv4(127, 0, 0, 1).To4())})
}

func TestCgroupNamespaceMakesThePathARoot(t *testing.T) {
	outside, err := namespaces.Cgroups(0)
	require.NoError(t, err)
	require.NotEmpty(t, outside)
	pid := sleeper(t, namespaces.Clone{New: []namespaces.Kind{namespaces.Cgroup}})
	seen, err := namespaces.Cgroups(pid)
	require.NoError(t, err)
	require.Equal(t, outside, seen, "seen from outside nothing has changed")
	var inside []byte
	err = namespaces.OnThread(func() (err error) {
		if err = (namespaces.Unshare{New: []namespaces.Kind{namespaces.Cgroup}}).Do(); err != nil {
			return err
		}
		inside, err = exec.Command("cat", "/proc/self/cgroup").Output()
		return err
	})
	require.NoError(t, err)
	for l := range strings.Lines(string(inside)) {
		require.True(t, strings.HasSuffix(l, ":/\n"), l)
	}
}

func TestClockOffsetsAreTheChildsUptime(t *testing.T) {
	lab.NeedKernel(t, "6.3", "execve enters a new time namespace")
	const day = 24 * time.Hour
	var out []byte
	err := namespaces.OnThread(func() (err error) {
		if err = do(
			namespaces.Unshare{New: []namespaces.Kind{namespaces.Time}},
			namespaces.ClockOffset{Monotonic: day, Boottime: 1000*day + time.Millisecond},
		); err != nil {
			return err
		}
		out, err = exec.Command("sh", "-c", "cat /proc/uptime; cat /proc/self/timens_offsets").Output()
		return err
	})
	require.NoError(t, err)
	words := strings.Fields(string(out))
	up, err := time.ParseDuration(words[0] + "s")
	require.NoError(t, err)
	require.Greater(t, up, 1000*day)
	require.Equal(t, []string{"monotonic", "86400", "0", "boottime", "86400000", "1000000"}, words[2:])

	negative := namespaces.ClockOffset{Monotonic: -time.Second}
	require.Equal(t, "unshare --time --monotonic -1 --boottime 0 --fork", negative.String())
}
