package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// cutaway runs the client and returns its standard output.
func cutaway(t *testing.T, args ...string) string {
	t.Helper()
	return strings.TrimSpace(output(t, filepath.Join(bin, "cutaway"), append([]string{"-H", host}, args...)...))
}

// byHand is a container that a script of ours makes.
type byHand struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  bytes.Buffer
	done chan error
}

// hand writes the script to a file, has it checked, and runs it.
func hand(t *testing.T, script string) *byHand {
	t.Helper()
	file := filepath.Join(t.TempDir(), "container.sh")
	require.NoError(t, os.WriteFile(file, []byte(script+"\n"), 0o700))
	if _, err := exec.LookPath("shellcheck"); err == nil {
		said, err := exec.Command("shellcheck", file).CombinedOutput()
		require.NoError(t, err, "%s", said)
	}
	h := &byHand{t: t, cmd: exec.Command("bash", file), done: make(chan error, 1)}
	h.cmd.Stdout, h.cmd.Stderr = &h.out, &h.out
	require.NoError(t, h.cmd.Start())
	go func() { h.done <- h.cmd.Wait() }()
	t.Cleanup(func() {
		if h.cmd.ProcessState == nil { // the test has failed
			_ = h.cmd.Process.Signal(unix.SIGTERM)
			h.exit()
		}
		if t.Failed() {
			t.Logf("the script said: %s", &h.out)
		}
	})
	return h
}

// exit waits for the script's end and returns its exit code.
func (h *byHand) exit() int {
	h.t.Helper()
	select {
	case <-h.done:
		return h.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		require.Fail(h.t, "the script does not end")
		return 0
	}
}

// first waits until a container's shell has started a child: by then Go has set up everything in it, such as its
// limit of open files. It returns the shell's number.
func first(t *testing.T, group, cmdline string) (pid string) {
	t.Helper()
	require.Eventually(t, func() bool {
		data, _ := os.ReadFile(filepath.Join(group, "cgroup.procs"))
		procs := strings.Fields(string(data))
		same := 0 // a child that is not yet another program, or only a trial of Go's (os, checkClonePidfd), looks like it
		for _, p := range procs {
			if now, _ := os.ReadFile(filepath.Join("/proc", p, "cmdline")); string(now) == cmdline {
				pid = p
				same++
			}
		}
		return len(procs) == 2 && same == 1
	}, patience, 20*time.Millisecond)
	return pid
}

// groupsOf asks the plan of a container for its cgroups.
func groupsOf(t *testing.T, name string) (groups []string) {
	var steps []struct{ Step, Shell string }
	require.NoError(t, json.Unmarshal([]byte(cutaway(t, "explain", "--json", name)), &steps))
	for _, s := range steps {
		if s.Step == "cgroups.Create" {
			groups = strings.Fields(strings.TrimPrefix(s.Shell, "mkdir -p "))
		}
	}
	require.NotEmpty(t, groups)
	return groups
}

// nothingByHand: all is gone that a script makes.
func nothingByHand(t *testing.T, groups []string) {
	t.Helper()
	require.NotContains(t, read(t, "/proc/self/mountinfo"), "by-hand")
	require.NotContains(t, output(t, "ip", "-oneline", "link"), "hand")
	for _, g := range groups {
		require.NoDirExists(t, g+".by-hand")
	}
	left, err := filepath.Glob(filepath.Join(strings.TrimPrefix(filepath.Dir(host), "unix://"), "*", "by-hand-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// kindsByHand are containers whose scripts are compared with them.
var kindsByHand = map[string][]string{
	"plain":                     {image},
	"limits":                    {"-m", "64m", "--memory-reservation", "32m", "--cpus", "0.5", "--cpu-shares", "512", "--cpuset-cpus", "0", "--pids-limit", "50", "--ulimit", "nofile=100:200", "--oom-score-adj", "300", image},
	"port, environment, place":  {"-p", "18080:80", "-p", "127.0.0.1:18081:81", "-p", "18082:82/udp", "-e", "A=b c", "-e", "Q='\"$x\\", "-e", "N=1\n2", "-e", "a.b=c", "-w", "/var/some where", image},
	"volume, user, read-only":   {"-v", "VOLUME:/data", "-v", "VOLUME:/more:ro", "-v", "named:/etc", "-v", "fresh:/not/there", "-u", "guest", "--read-only", image},
	"terminal":                  {"-t", "-u", "guest", image},
	"user by number and groups": {"-u", "1234:tty", "--group-add", "guest", "--group-add", "77", image},
	"no network, capabilities":  {"--network", "none", "--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--cap-add", "SETUID", "--security-opt", "no-new-privileges", image},
	"hostname, tmpfs, sysctl":   {"--hostname", "box", "--tmpfs", "/scratch:size=1m,mode=700", "--sysctl", "net.ipv4.ip_unprivileged_port_start=80", image},
	"the host's namespaces":     {"--network", "host", "--cgroupns", "host", image},
}

func TestAScriptMakesTheSameContainer(t *testing.T) {
	for name, args := range kindsByHand {
		t.Run(name, func(t *testing.T) {
			volume := t.TempDir()
			for i := range args {
				args[i] = strings.Replace(args[i], "VOLUME", volume, 1)
			}
			id := cutaway(t, append(append([]string{"run", "-d"}, args...), "sh", "-c", "sleep 1000; true")...)
			sameByHand(t, id)
			cutaway(t, "rm", "-v", id)
		})
	}
}

// sameByHand compares a container, in which the shell runs "sleep 1000; true", with the one that its script makes when it
// has ended. Both are gone afterwards.
func sameByHand(t *testing.T, id string) {
	t.Helper()
	const cmdline = "sh\x00-c\x00sleep 1000; true\x00"
	groups := groupsOf(t, id)
	pid := first(t, groups[0], cmdline)
	require.Equal(t, cutaway(t, "inspect", "-f", "{{.State.Pid}}", id), pid)
	engine := factsOf(t, subject{pid, groups, "veth" + id[:7]})
	require.Equal(t, 125, hand(t, cutaway(t, "explain", "--script", id)).exit(), "while the engine's container runs")
	cutaway(t, "kill", id)
	gone := func() bool {
		_, err := os.Stat(groups[0])
		return err != nil && !strings.Contains(read(t, "/proc/self/mountinfo"), id)
	}
	require.Eventually(t, gone, patience, 20*time.Millisecond)

	h := hand(t, cutaway(t, "explain", "--script", id))
	var own []string
	for _, g := range groups {
		own = append(own, g+".by-hand")
	}
	script := factsOf(t, subject{first(t, own[0], cmdline), own, "hand" + id[:7]})
	require.Len(t, script, len(engine))
	for what := range engine {
		require.Equal(t, engine[what], script[strings.Replace(what, id, id+".by-hand", 1)], what)
	}
	require.NoError(t, h.cmd.Process.Signal(unix.SIGINT))
	require.Equal(t, 130, h.exit(), "%s", &h.out)
	nothingByHand(t, groups)
}

func TestAScriptOfADryRunNeedsNoEngine(t *testing.T) {
	before := cutaway(t, "ps", "-aq")
	h := hand(t, cutaway(t, "run", "--dry-run", "--script", "-e", "A=one two", image, "sh", "-c", `echo "$A" > /file; cat /file; exit 7`))
	require.Equal(t, 7, h.exit(), "%s", &h.out)
	require.Equal(t, "one two\n", h.out.String())
	nothingByHand(t, nil)
	require.Equal(t, before, cutaway(t, "ps", "-aq"))
}

func TestAScriptThatFailsLeavesNothing(t *testing.T) {
	h := hand(t, cutaway(t, "run", "--dry-run", "--script", image, "nosuch"))
	require.Equal(t, 127, h.exit(), "%s", &h.out)
	h = hand(t, cutaway(t, "run", "--dry-run", "--script", "--tmpfs", "/etc/passwd", image, "true"))
	require.NotZero(t, h.exit(), "%s", &h.out)
	nothingByHand(t, nil)
}

func TestAContainerIsItsPIDOneUntilKilled(t *testing.T) {
	h := hand(t, cutaway(t, "run", "--dry-run", "--script", image, "sh", "-c", "kill -9 $$; echo alive; exit 3"))
	require.Equal(t, 3, h.exit(), "%s", &h.out) // no process can kill the first of its PID namespace: pid_namespaces(7)
	require.Equal(t, "alive\n", h.out.String())
	nothingByHand(t, nil)
}
