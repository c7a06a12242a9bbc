package cgroups

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"cutaway/chapters/lab"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// outer makes a v2 group for an engine that lives in it, with what there is to
// delegate: on a hybrid system, that may be hugetlb alone.
func outer(t *testing.T) (path string, l Limits) {
	t.Helper()
	lab.NeedRoot(t)
	sys, err := Detect()
	require.NoError(t, err)
	l = Limits{MemoryMax: 64 << 20}
	h, err := sys.hierarchy("memory")
	if err != nil || h.Version == V1 {
		l = Limits{HugeTLB: []HugePage{{"2MB", 4 << 20}}}
		if h, err = sys.hierarchy("hugetlb"); err != nil || h.Version == V1 {
			lab.NeedSupport(t, os.NewSyscallError("cgroup v2 controller", unix.ENODEV), "")
		}
		keepDelegation(t, sys)
	}
	b := newBoxNamed(t, lab.CgroupName(t)+"/outer", l)
	for i, h := range sys.Hierarchies {
		if h.Version == V2 {
			path = b.Paths[i]
		}
	}
	return path, l
}

// command prepares a helper that is born in the group, clone3(2), since Linux 5.7.
func commandIn(t *testing.T, path, action string, l Limits) *exec.Cmd {
	dir, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = dir.Close() })
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CUTAWAY_HELPER="+action, "CUTAWAY_HELPER_ARG="+mustJSON(t, l))
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	return cmd
}

func TestEngineInAContainerMovesOutOfTheWay(t *testing.T) {
	path, l := outer(t)
	cmd := commandIn(t, path, "container", l)
	cmd.SysProcAttr.Unshareflags = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "v2 true\n", "it saw itself in the way")
	require.Contains(t, string(out), "> /sys/fs/cgroup/inner/box/")
	require.DirExists(t, path+"/init", "where it has moved its processes")
	require.NoDirExists(t, path+"/inner")
}

func TestDelegatedGroupNeedsNoRoot(t *testing.T) {
	path, l := outer(t)
	const uid = 54321
	for _, f := range []string{".", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"} { // cgroup-v2.rst "Model of Delegation"
		require.NoError(t, os.Chown(filepath.Join(path, f), uid, uid))
	}
	cmd := commandIn(t, path, "engine", l)
	cmd.Path = filepath.Join("/tmp", lab.CgroupName(t)) // which the user may execute
	require.NoError(t, exec.Command("cp", os.Args[0], cmd.Path).Run())
	t.Cleanup(func() { require.NoError(t, os.Remove(cmd.Path)) })
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: uid}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "v2 true\n", "v1's trees may not be written to")
	require.Contains(t, string(out), path+"/inner/box/")
}

func TestInternalProcessesAreExplained(t *testing.T) {
	path, l := outer(t)
	cmd := commandIn(t, path, "spin", l)
	require.NoError(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	controller := "memory"
	if l.MemoryMax == 0 {
		controller = "hugetlb"
	}
	err := Delegate{Path: path, Controllers: []string{controller}}.Do()
	require.ErrorIs(t, err, unix.EBUSY)
	require.ErrorContains(t, err, "no internal processes")
	require.NoError(t, Delegate{Path: path, Controllers: []string{controller}, Leaf: "leaf"}.Do())
	text, err := os.ReadFile(path + "/leaf/cgroup.procs")
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintln(cmd.Process.Pid), string(text))
}
