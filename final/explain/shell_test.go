package explain

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	chroot "cutaway/01-chroot"
	cgroups "cutaway/03-cgroups"
	network "cutaway/06-network"
	"cutaway/final/plan"
	"cutaway/final/rootfs"
	"cutaway/final/volume"

	"github.com/stretchr/testify/require"
)

func TestPlaceholdersBecomeQuotedVariables(t *testing.T) {
	for command, want := range map[string]string{
		"mkdir -p /__R__/proc":                    `mkdir -p "$R/proc"`,
		"echo 1 > /sys/fs/cgroup/__CG__/x":        `echo 1 > "/sys/fs/cgroup/$CG/x"`,
		"touch '/__R__/my dir'":                   `touch "$R/my dir"`,
		`touch '/__R__/it'\''s $HOME'`:            `touch "$R/it's \$HOME"`,
		`[ "$(ls -A /__R__/x)" ] || cp a 'b c'`:   `[ "$(ls -A "$R/x")" ] || cp a 'b c'`,
		"cat > /__T__/f <<'EOF'\n/__R__\nEOF":     "cat > \"$T/f\" <<'EOF'\n/__R__\nEOF",
		"echo 'nothing here' $$":                  "echo 'nothing here' $$",
		"mount -o upperdir=/__U__,workdir=/__W__": `mount -o "upperdir=$U,workdir=$W"`,
	} {
		require.Equal(t, want, expand(command))
	}
}

func TestARowOfCommandsIsTakenApartOutsideOfQuotesAndBraces(t *testing.T) {
	require.Equal(t, []string{"{ a && b; }", "c ' && '", "d"}, commands("{ a && b; } && c ' && ' && d", " && "))
}

func TestRenamingLeavesTheStepItselfAlone(t *testing.T) {
	step := rootfs.Mount{Root: "/c/rootfs", Target: "/x", Options: []string{"upper=/c/rootfs"}}
	r := strings.NewReplacer("/c/rootfs", "/__R__")
	require.Equal(t, rootfs.Mount{Root: "/__R__", Target: "/x", Options: []string{"upper=/__R__"}}, renamed(step, r))
	require.Equal(t, []string{"upper=/c/rootfs"}, step.Options)
	require.Equal(t, plan.Clone{}, renamed(plan.Clone{}, r))
	require.Equal(t, volume.Directory{Path: "/y"}, renamed(volume.Directory{Path: "/y"}, r))
}

func TestWhatAShellCannotDoIsSaidInAComment(t *testing.T) {
	s := &script{}
	s.devices(cgroups.Devices{BPF: true, Path: "/sys/fs/cgroup/__CG__", Rules: []cgroups.DeviceRule{{Type: "a"}}})
	require.Contains(t, s.String(), "Not done here")
	require.Contains(t, s.String(), `bpftool cgroup attach "/sys/fs/cgroup/$CG"`)
	for line := range strings.Lines(s.String()) {
		require.Regexp(t, "^# ", line)
	}
}

// inShell runs a line of bash behind the functions that every script has.
func inShell(t *testing.T, root, line string) string {
	t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", prologue+"\ntrap - EXIT\n"+line)
	cmd.Env = append(os.Environ(), "R="+root)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return strings.TrimSpace(string(out))
}

func TestNoLinkOfAnImageLeadsOutOfTheTree(t *testing.T) {
	root := t.TempDir()
	for link, target := range map[string]string{"abs": "/etc", "up": "../../../etc", "var/run": "/run", "loop": "loop"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, link)), 0o700))
		require.NoError(t, os.Symlink(target, filepath.Join(root, link)))
	}
	for path, want := range map[string]string{
		"/": "", "/a/b": "/a/b", "/abs/x": "/etc/x", "/up/x": "/etc/x", "/var/run/docker.sock": "/run/docker.sock",
		"/../../x": "/x", "/a//./b/": "/a/b", "/with space": "/with space",
	} {
		require.Equal(t, root+want, inShell(t, root, "place "+rootfs.Quote(path)), path)
	}
	require.Contains(t, inShell(t, root, "place /loop/x || true"), "too many symbolic links")
}

func TestUsersAreTheContainersOwn(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(root, "etc"), 0o700))
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
	}
	write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n55:x:66:66::/odd:/bin/sh\n")
	write("etc/group", "root:x:0:\nweb:x:34:\nlog:x:40:web,other\ntape:x:41:web\nnot:x:42:webx\n")
	for user, want := range map[string]string{ // user, group, and more groups → uid gid groups home
		"0 ''":           "0 0 0 /root",
		"web ''":         "33 34 34,40,41 /srv",
		"33 ''":          "33 34 34,40,41 /srv",
		"web log":        "33 40 40 /srv",
		"1234 ''":        "1234 0 0 /",
		"1234 5678":      "1234 5678 5678 /",
		"55 ''":          "66 66 66 /odd", // a name goes before a number
		"web '' tape 77": "33 34 34,40,41,41,77 /srv",
		"0 '' log":       "0 0 0,40 /root",
	} {
		require.Equal(t, want, inShell(t, root, "identify "+user+`; echo "$uid $gid $groups $home"`), user)
	}
	require.Equal(t, "7 8 8 /", inShell(t, t.TempDir(), `identify 7 8; echo "$uid $gid $groups $home"`), "an image without files")
}

func TestAPlanThatMakesNoContainerHasNoScript(t *testing.T) {
	require.ErrorIs(t, Script(os.Stderr, plan.New("x")), errNoContainer)
}

func TestLongPathsHaveNames(t *testing.T) {
	id := strings.Repeat("4f2a", 16)
	p := plan.New(id)
	p.Add(plan.Wire, network.Namespace{Path: "/run/netns/" + id})
	p.Add(plan.Inside, chroot.Pivot{Root: "/data/containers/" + id + "/rootfs"})
	names, apply := Abbreviate(p)
	require.Equal(t, []string{"ID=" + id, "D=/data", "C=$D/containers/$ID", "R=$C/rootfs", "N=/run/netns/$ID"}, names)
	for command, want := range map[string]string{
		"cd /data/containers/" + id + "/rootfs && ls": "cd $R && ls",
		"cat /data/containers/" + id + "/rootfs/x":    "cat $R/x",
		"cat /data/containers/" + id + "/hosts":       "cat $C/hosts",
		"ls /data/layers /database":                   "ls $D/layers /database",
		"nsenter --net=/run/netns/" + id + " ip link": "nsenter --net=$N ip link",
		"mkdir /sys/fs/cgroup/" + id:                  "mkdir /sys/fs/cgroup/$ID",
		"echo '/data/x'":                              "echo '/data/x'",
	} {
		require.Equal(t, want, apply(command))
	}
}
