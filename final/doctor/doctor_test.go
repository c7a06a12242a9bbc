package doctor

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"cutaway/chapters/lab"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { lab.Main(m, lab.RootOrSandbox) }

// machine is a patient with these files under its root.
func machine(t *testing.T, files map[string]string) Patient {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(content), 0o600))
	}
	return Patient{Root: root, DataRoot: root}
}

func TestThisMachineIsExamined(t *testing.T) {
	lab.NeedRoot(t)
	list := Examine(Patient{Root: "/", DataRoot: t.TempDir()})
	require.Len(t, list, len(checks))
	require.True(t, Healthy(list), "%+v", list)
	for _, f := range list {
		require.NotEmpty(t, f.Found, f.Name)
	}
}

func TestGroupsThatOnlyRootMayMakeAreNoProblem(t *testing.T) {
	p := machine(t, map[string]string{"proc/self/mountinfo": "31 23 0:28 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n"})
	require.True(t, p.hasCgroups())
	require.False(t, machine(t, map[string]string{"proc/self/mountinfo": "1 0 0:1 / / rw - ext4 /dev/vda rw\n"}).hasCgroups())
}

func TestOldKernelsAreAProblem(t *testing.T) {
	for release, want := range map[string]Verdict{
		"4.19.0-20-amd64": Problem, "5.11.9": Problem, "5.12.0": Fine, "6.1.0-18-amd64": Fine, "odd": Note,
	} {
		require.Equal(t, want, kernelVersion(machine(t, map[string]string{"proc/sys/kernel/osrelease": release + "\n"})).Verdict, release)
	}
}

func TestWhatForbidsUserNamespacesIsNamed(t *testing.T) {
	for file, value := range map[string]string{
		"proc/sys/user/max_user_namespaces": "0", "proc/sys/kernel/unprivileged_userns_clone": "0",
		"proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1",
	} {
		f := userNamespaces(machine(t, map[string]string{file: value}))
		require.Equal(t, Note, f.Verdict)
		require.Contains(t, f.Remedy, filepath.Base(file))
	}
}

func TestConfinementAndNestingAreNoticed(t *testing.T) {
	require.Equal(t, Note, confinement(machine(t, map[string]string{"proc/self/status": "Seccomp:\t2\n"})).Verdict)
	require.Equal(t, Note, confinement(machine(t, map[string]string{"proc/self/attr/current": "docker-default (enforce)\n"})).Verdict)
	require.Equal(t, Fine, confinement(machine(t, map[string]string{"proc/self/status": "Seccomp:\t0\n"})).Verdict)
	require.Equal(t, "WSL2", nesting(machine(t, map[string]string{"proc/sys/kernel/osrelease": "5.15.90.1-microsoft-standard-WSL2"})).Found)
	require.Equal(t, "this is a container", nesting(machine(t, map[string]string{"proc/1/environ": "A=b\x00container=lxc\x00"})).Found)
	require.Equal(t, Fine, nesting(machine(t, nil)).Verdict)
}

func TestMissingNamespacesAreAProblem(t *testing.T) {
	f := namespaceKinds(machine(t, map[string]string{"proc/self/ns/mnt": "", "proc/self/ns/pid": ""}))
	require.Equal(t, Problem, f.Verdict)
	require.Equal(t, "missing: uts, ipc, net, cgroup", f.Found)
}

func TestADataRootThatCannotWorkIsAProblem(t *testing.T) {
	lab.NeedRoot(t)
	f := layers(Patient{Root: "/", DataRoot: "/proc"})
	require.Equal(t, Problem, f.Verdict)
	require.NotEmpty(t, f.Remedy)
}

func TestFindingsAreWrittenForPeopleAndPrograms(t *testing.T) {
	list := []Finding{{"a", Fine, "good", "unused", ""}, {"b", Problem, "bad", "it hurts", "do this"}}
	var text, data bytes.Buffer
	require.NoError(t, Write(&text, list))
	require.Equal(t, "✓ a                    good\n✗ b                    bad\n    means   it hurts\n    remedy  do this\n", text.String())
	require.NoError(t, WriteJSON(&data, list))
	var back []Finding
	require.NoError(t, json.Unmarshal(data.Bytes(), &back))
	require.Equal(t, list, back)
	require.False(t, Healthy(list))
	require.True(t, Healthy(list[:1]))
}
