package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"cutaway/chapters/lab"
)

// asJail makes this test binary the program that it tests.
const asJail = "CUTAWAY_AS_JAIL"

func TestMain(m *testing.M) {
	if os.Getenv(asJail) != "" {
		main()
		os.Exit(0)
	}
	lab.Main(m, lab.Plain)
}

// jail runs the command with arguments. It is its own sandbox.
func jail(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), asJail+"=1", "PATH=/usr/bin:/bin")
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	err = cmd.Run()
	t.Logf("jail %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), problem.String())
	return out.String(), err
}

const table = `escape          chroot   pivot   pivot, defended
dotdot          out      held    held
second-chroot   out      held    held
descriptor      out      out     held
proc            out      out     held
`

func TestEveryEscapeLeadsOutOfChrootAndIsStoppedAsItsDocSays(t *testing.T) {
	got, err := jail(t, "compare")
	require.NoError(t, err)
	require.Equal(t, table, got)
}

func TestEscapesNeedNoRootOnTheHost(t *testing.T) {
	lab.NeedRoot(t) // to become somebody else
	cmd := exec.Command("/proc/self/exe", "compare")
	cmd.Env = append(os.Environ(), asJail+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	got, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, table, string(got))
}

func TestMadeRootRunsItsPrograms(t *testing.T) {
	root := t.TempDir()
	_, err := jail(t, "make", root, "sh", "ls", "cat")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(root+"/only-here", []byte("x"), 0o644))
	for _, by := range []string{"chroot", "pivot"} {
		out, err := jail(t, by, root, "sh", "-c", "ls / && exit 7")
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		require.Equal(t, 7, exit.ExitCode())
		require.Contains(t, out, "only-here")
		require.NotContains(t, out, "boot")
	}
}

func TestEscapedCommandSeesTheHost(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	_, err := jail(t, "make", root, "cat")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(outside+"/secret", []byte("the host's"), 0o644))

	_, err = jail(t, "chroot", root, "cat", outside+"/secret")
	require.Error(t, err)
	out, err := jail(t, "escape", "dotdot", "chroot", root, "cat", outside+"/secret")
	require.NoError(t, err)
	require.Equal(t, "the host's", out)
	_, err = jail(t, "escape", "dotdot", "pivot", root, "cat", outside+"/secret")
	require.Error(t, err)
}
