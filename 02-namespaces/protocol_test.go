package namespaces_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
	"cutaway/chapters/lab"
)

// becomeChild does the steps that its first argument names.
func becomeChild(args []string) error {
	steps := map[string][]namespaces.Step{
		"none":     nil,
		"hostname": {namespaces.Hostname{Name: "box"}},
		"mount":    {namespaces.Hostname{Name: "box"}, mount{"x", os.TempDir(), "no-such-fs", 0}},
		"other":    {namespaces.Propagation{Target: "/", Mode: "public"}},
		"exit":     {exit{}},
	}
	return namespaces.Become(steps[args[0]], args[1:])
}

// exit is a step that ends the child without a word.
type exit struct{}

func (exit) Do() error      { os.Exit(5); return nil }
func (exit) String() string { return "exit 5" }

var uts = namespaces.Clone{New: []namespaces.Kind{namespaces.UTS}}

func TestStartReturnsWhenTheProgramRuns(t *testing.T) {
	cmd := child("become", "hostname", "cat", "/proc/sys/kernel/hostname")
	var out strings.Builder
	cmd.Stdout = &out
	require.NoError(t, namespaces.Start(cmd, uts))
	require.NoError(t, cmd.Wait())
	require.Equal(t, "box\n", out.String())
}

func TestStartPassesDescriptorsFrom4On(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	cmd := child("become", "none", "sh", "-c", "echo here >&4; [ -e /proc/$$/fd/3 ] || echo closed >&4")
	cmd.ExtraFiles = []*os.File{w}
	require.NoError(t, namespaces.Start(cmd, uts))
	w.Close()
	require.NoError(t, cmd.Wait())
	out, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "here\nclosed\n", string(out), "4 is the caller's; 3 was the protocol's")
}

func TestFailureCrossesWithStepCallPathAndErrno(t *testing.T) {
	dir := os.TempDir()
	for what, want := range map[string]namespaces.Failure{
		"mount": {
			Step: "mount -t no-such-fs x " + dir,
			Call: "mount", Path: dir, Errno: unix.ENODEV,
			Text: "mount " + dir + ": no such device",
		},
		"other": {Step: "mount --make-public /", Text: `propagation of "/": no such mode "public"`},
		"none": {
			Step: "/no/such/program", Call: "stat", Path: "/no/such/program", Errno: unix.ENOENT,
			Text: `exec: "/no/such/program": stat /no/such/program: no such file or directory`,
		},
	} {
		cmd := child("become", what, "/no/such/program")
		err := namespaces.Start(cmd, uts)
		var got *namespaces.Failure
		require.ErrorAs(t, err, &got, what)
		require.Equal(t, want, *got)
		if want.Errno != 0 {
			require.ErrorIs(t, err, want.Errno)
		}
		require.NotNil(t, cmd.ProcessState, "the child has ended and was waited for")
	}
}

func TestChildThatDiesIsFoundByWait(t *testing.T) {
	cmd := child("become", "exit", "true")
	require.NoError(t, namespaces.Start(cmd, uts), "nothing tells this from an execve")
	var exit *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &exit)
	require.Equal(t, 5, exit.ExitCode())
}

func TestChildWhoseParentDiedEndsBeforeItsFirstStep(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, w.Close())
	defer r.Close()
	cmd := child("become", "hostname", "true")
	cmd.ExtraFiles = []*os.File{r}
	out, err := cmd.Output()
	require.Error(t, err)
	require.Equal(t, "wait for the parent: EOF\n", string(out))
}

func TestStartAsAnybodyMakesRootInside(t *testing.T) {
	lab.NeedRoot(t) // to be somebody else
	c := namespaces.Clone{New: []namespaces.Kind{namespaces.User, namespaces.UTS}}
	for name, maps := range map[string][]namespaces.IDMap{
		"another's numbers": {{Inside: 0, Outside: 100000, Count: 10}},
		"one's own":         ownMap(),
		"one's own last":    {{Inside: 0, Outside: 100000, Count: 10}, {Inside: 10, Outside: 0, Count: 1}},
	} {
		c.UIDMap, c.GIDMap = maps, maps
		cmd := child("become", "hostname", "sh", "-c", "id -u; id -g; hostname; grep CapEff /proc/self/status")
		var out strings.Builder
		cmd.Stdout = &out
		require.NoError(t, namespaces.Start(cmd, c), name)
		require.NoError(t, cmd.Wait())
		require.True(t, strings.HasPrefix(out.String(), "0\n0\nbox\n"), "%s: %s", name, out.String())
		require.NotContains(t, out.String(), "0000000000000000")
	}
}

func TestMapsOfARangeAreWrittenByTheHelpers(t *testing.T) {
	lab.NeedRoot(t) // to be somebody else
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o777))
	for _, helper := range []string{"newuidmap", "newgidmap"} {
		script := "#!/bin/sh\necho $0 $* >>" + dir + "/called\n"
		require.NoError(t, os.WriteFile(dir+"/"+helper, []byte(script), 0o755))
	}
	require.NoError(t, os.Chmod(strings.TrimSuffix(dir, "/001"), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	maps := namespaces.Maps{
		PID:    7,
		UIDMap: []namespaces.IDMap{{Inside: 0, Outside: 1000, Count: 1}, {Inside: 1, Outside: 100000, Count: 65536}},
		GIDMap: []namespaces.IDMap{{Inside: 0, Outside: 1000, Count: 1}},
	}
	err := namespaces.OnThread(func() error {
		// This thread alone, unlike syscall.Setresuid.
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, 1000, 1000, 1000); errno != 0 {
			return errno
		}
		return maps.Do()
	})
	require.NoError(t, err)
	called, err := os.ReadFile(dir + "/called")
	require.NoError(t, err)
	require.Contains(t, string(called), "/newuidmap 7 0 1000 1 1 100000 65536\n")
	require.Contains(t, string(called), "/newgidmap 7 0 1000 1\n")
	require.Equal(t, `printf %s '0 1000 1
1 100000 65536
' >/proc/7/uid_map && printf %s '0 1000 1
' >/proc/7/gid_map`, maps.String())
}

func TestSubordinateRangesFollowEachOther(t *testing.T) {
	const file = "# comment\nbob:1000:1\nalice:100000:65536\n1000:300000:10\n\nalice:bad\n"
	maps, err := namespaces.Subordinate(strings.NewReader(file), "alice", 1000)
	require.NoError(t, err)
	require.Equal(t, []namespaces.IDMap{
		{Inside: 1, Outside: 100000, Count: 65536},
		{Inside: 65537, Outside: 300000, Count: 10},
	}, maps)
	maps, err = namespaces.Subordinate(strings.NewReader(file), "carol", 7)
	require.NoError(t, err)
	require.Empty(t, maps)
	_, err = namespaces.Subordinate(strings.NewReader("a:4294967295:2\n"), "a", 1)
	require.ErrorContains(t, err, `bad line "a:4294967295:2"`)
}

// enterAndRun runs a shell in the namespaces of a process, and returns what
// it wrote to a file.
func enterAndRun(t *testing.T, pid int, script string) (string, error) {
	t.Helper()
	out := t.TempDir() + "/out"
	require.NoError(t, os.WriteFile(out, nil, 0o666))
	require.NoError(t, os.Chmod(out, 0o666))
	p, err := namespaces.Enter{
		PID: pid, Kinds: namespaces.Kinds, Path: "/bin/sh",
		Argv: []string{"sh", "-c", "exec >>" + out + "; " + script}, Env: []string{"PATH=/usr/bin:/bin"},
	}.Start()
	require.NoError(t, err)
	state, err := p.Wait()
	require.NoError(t, err)
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	if !state.Success() {
		return string(text), &exec.ExitError{ProcessState: state}
	}
	return string(text), nil
}

func TestEnterJoinsEveryKindAlsoTheUserNamespace(t *testing.T) {
	c := namespaces.Clone{New: append([]namespaces.Kind{namespaces.User}, threadKinds...), UIDMap: ownMap(), GIDMap: ownMap()}
	pid := sleeper(t, c)
	var script, want strings.Builder
	for _, k := range namespaces.Kinds {
		id, err := namespaces.ID(pid, k)
		require.NoError(t, err)
		// /proc is the mount namespace's, which shows its own PID namespace.
		fmt.Fprintf(&want, "%s:[%d]\n", k.ProcName(), id)
		fmt.Fprintf(&script, "readlink /proc/thread-self/ns/%s; ", k.ProcName())
	}
	_, err := enterAndRun(t, pid, "mount -t proc proc /proc")
	require.NoError(t, err)
	out, err := enterAndRun(t, pid, script.String())
	require.NoError(t, err)
	require.Equal(t, want.String(), out)
	out, err = enterAndRun(t, pid, "id -u; grep CapEff /proc/self/status; grep SigBlk /proc/self/status; exit 6")
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 6, exit.ExitCode())
	require.True(t, strings.HasPrefix(out, "0\n"))
	require.Contains(t, out, "SigBlk:\t0000000000000000")
	require.NotContains(t, out, "CapEff:\t0000000000000000")
}

func TestEnterSaysWhichCallFailed(t *testing.T) {
	pid := sleeper(t, uts)
	enter := namespaces.Enter{PID: pid, Kinds: namespaces.Kinds, Path: "/no/such", Argv: []string{"x"}}
	_, err := enter.Start()
	require.ErrorIs(t, err, unix.ENOENT)
	require.EqualError(t, err, fmt.Sprintf("enter process %d: execve /no/such: no such file or directory", pid))
	enter.PID = 1 << 30
	_, err = enter.Start()
	var call *os.SyscallError
	require.ErrorAs(t, err, &call)
	require.Equal(t, "pidfd_open", call.Syscall)
	var errno syscall.Errno
	require.ErrorAs(t, err, &errno)
}

func TestEnterFromManyGoroutinesAtOnce(t *testing.T) {
	pid := sleeper(t, namespaces.Clone{New: []namespaces.Kind{namespaces.User, namespaces.PID}, UIDMap: ownMap(), GIDMap: ownMap()})
	errs := make(chan error)
	const many = 40
	for range many {
		go func() {
			p, err := namespaces.Enter{PID: pid, Kinds: namespaces.Kinds, Path: "/bin/true", Argv: []string{"true"}}.Start()
			if err == nil {
				var state *os.ProcessState
				if state, err = p.Wait(); err == nil && !state.Success() {
					err = errors.New(state.String())
				}
			}
			errs <- err
		}()
	}
	for range many {
		require.NoError(t, <-errs)
	}
}
