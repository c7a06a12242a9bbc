package rootfs

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
	"cutaway/chapters/lab"
)

// What mountinfo must say of a mount: the options that are the mount's own,
// and some of those of its file system.
var mountRows = map[string]struct {
	mount     Mount
	flags, fs string
}{
	"proc":      {Mount{Source: "proc", Type: "proc", Options: []string{"nosuid", "nodev", "noexec"}}, "rw,nosuid,nodev,noexec,relatime", ""},
	"tmpfs":     {Mount{Source: "tmpfs", Type: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}}, "rw,nosuid", "size=65536k,mode=755"},
	"ro tmpfs":  {Mount{Source: "tmpfs", Type: "tmpfs", Options: []string{"ro", "noatime"}}, "ro,noatime", ""},
	"last wins": {Mount{Source: "tmpfs", Type: "tmpfs", Options: []string{"ro", "nosuid", "rw", "defaults", "suid"}}, "rw,relatime", ""},
	"devpts":    {Mount{Source: "devpts", Type: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}}, "rw,nosuid,noexec,relatime", "ptmxmode=666"},
	"mqueue":    {Mount{Source: "mqueue", Type: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}}, "rw,nosuid,nodev,noexec,relatime", ""},
	"sysfs":     {Mount{Source: "sysfs", Type: "sysfs", Options: []string{"ro", "nosuid", "noexec", "nodev"}}, "ro,nosuid,nodev,noexec,relatime", ""},
	"bind":      {Mount{Source: "/usr", Options: []string{"bind"}}, "rw,relatime", ""},
	"ro bind":   {Mount{Source: "/usr", Options: []string{"bind", "ro", "rprivate"}}, "ro,relatime", ""},
	"rro bind":  {Mount{Source: "/usr", Options: []string{"rbind", "rro", "rnosuid", "rslave"}}, "ro,nosuid,relatime", ""},
}

func TestMountHasTheOptionsThatWereAskedFor(t *testing.T) {
	for what, row := range mountRows {
		t.Run(what, func(t *testing.T) {
			m := row.mount
			m.Root, m.Target = t.TempDir(), "/a/b"
			var fields []string
			err := inMounts(func() (err error) {
				if err = m.Do(); err != nil {
					return err
				}
				fields, err = mountLine(m.Root + "/a/b")
				return err
			})
			require.NoError(t, err)
			require.ElementsMatch(t, strings.Split(row.flags, ","), strings.Split(fields[5], ","))
			require.Contains(t, fields[len(fields)-1], row.fs)
		})
	}
}

func TestMountErrorNamesEverything(t *testing.T) {
	root := t.TempDir()
	err := Mount{Root: root, Source: "x", Target: "/m", Type: "no-such-fs"}.Do()
	require.ErrorIs(t, err, unix.ENODEV)
	require.EqualError(t, err, `no-such-fs "x": mount `+root+`/m: no such device`)
	err = Mount{Root: root, Source: "tmpfs", Target: "/m", Type: "tmpfs", Options: []string{"no-such-option"}}.Do()
	require.ErrorIs(t, err, unix.EINVAL)
	err = Mount{Root: root, Source: root + "/none", Target: "/n", Options: []string{"bind"}}.Do()
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoDirExists(t, root+"/n")
}

// Targets that lead out of the root when the host resolves them, and where
// they are inside.
var hostileTargets = map[string]struct{ link, target, inside string }{
	"absolute link":   {"%s/outside", "/link", "%s/outside"},
	"relative link":   {"../outside", "/link", "/outside"},
	"link on the way": {"..", "/link/outside", "/outside"},
	"dots":            {"", "/../outside", "/outside"},
}

func TestMountNeverLeavesTheRoot(t *testing.T) {
	for what, row := range hostileTargets {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			root, outside := dir+"/root", dir+"/outside"
			require.NoError(t, os.Mkdir(root, 0o755))
			require.NoError(t, os.Mkdir(outside, 0o755))
			if row.link != "" {
				require.NoError(t, os.Symlink(strings.ReplaceAll(row.link, "%s", dir), root+"/link"))
			}
			m := Mount{Root: root, Source: "tmpfs", Target: row.target, Type: "tmpfs"}
			var naive, leaked, held error
			err := inMounts(func() error {
				naive = unix.Mount("tmpfs", root+row.target, "tmpfs", 0, "")
				_, leaked = mountLine(outside)
				if err := unix.Unmount(outside, 0); err != nil {
					return err
				}
				if err := m.Do(); err != nil {
					return err
				}
				_, held = mountLine(outside)
				_, err := mountLine(root + strings.ReplaceAll(row.inside, "%s", dir))
				return err
			})
			require.NoError(t, naive)
			require.NoError(t, leaked, "the row is hostile: mount(2) itself follows it")
			require.ErrorIs(t, held, os.ErrNotExist)
			require.NoError(t, err)
		})
	}
}

func TestMountPointIsMadeAsItsSourceIs(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/etc/hosts.source", "127.0.0.1")
	require.NoError(t, os.Symlink("../run/stub/resolv.conf", root+"/etc/resolv.conf")) // leads nowhere
	var text []byte
	err := inMounts(func() (err error) {
		if err = do(
			Mount{Root: root, Source: root + "/etc/hosts.source", Target: "/etc/resolv.conf", Options: []string{"bind", "ro"}},
			Mount{Root: root, Source: root + "/etc/hosts.source", Target: "/x/y/file", Options: []string{"bind"}},
			Mount{Root: root, Source: root + "/etc", Target: "x/z", Options: []string{"bind"}},
		); err != nil {
			return err
		}
		text, err = os.ReadFile(root + "/run/stub/resolv.conf")
		return err
	})
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", string(text))
	require.FileExists(t, root+"/x/y/file")
	require.DirExists(t, root+"/x/z")
}

func TestLinkThatLeadsInACircleIsAnError(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.Symlink("loop", root+"/loop"))
	err := Mount{Root: root, Source: "tmpfs", Target: "/loop/x", Type: "tmpfs"}.Do()
	require.ErrorIs(t, err, unix.ELOOP)
}

// tryWrite makes a file and reports why it could not.
func tryWrite(path string) error {
	err := os.WriteFile(path, nil, 0o600)
	if err == nil {
		_ = os.Remove(path)
	}
	return errors.Unwrap(err)
}

func TestReadOnlyBindReachesTheMountsBelowOnlyAsRRO(t *testing.T) {
	lab.NeedKernel(t, "5.12", "mount_setattr")
	byShell := func(s namespaces.Step) error { return exec.Command("bash", "-ec", s.String()).Run() }
	for _, row := range []struct {
		option string
		do     func(namespaces.Step) error
		want   error
	}{
		{"ro", namespaces.Step.Do, nil}, {"rro", namespaces.Step.Do, unix.EROFS}, {"ro", byShell, nil}, {"rro", byShell, unix.EROFS},
	} {
		dir := t.TempDir()
		var top, below error
		err := inMounts(func() error {
			if err := do(
				Mount{Root: dir, Source: "tmpfs", Target: "/source/be low", Type: "tmpfs"},
			); err != nil {
				return err
			}
			if err := row.do(Mount{Root: dir, Source: dir + "/source", Target: "/target", Options: []string{"rbind", row.option}}); err != nil {
				return err
			}
			top, below = tryWrite(dir+"/target/file"), tryWrite(dir+"/target/be low/file")
			return nil
		})
		require.NoError(t, err)
		require.ErrorIs(t, top, unix.EROFS, row.option)
		require.Equal(t, row.want, below, row.option)
	}
}

func TestRemountChangesOnlyTheFlagsThatItNames(t *testing.T) {
	dir := t.TempDir()
	remount := Mount{Root: dir, Target: "/m", Options: []string{"remount", "bind", "ro"}}
	var ours, theirs, other []string
	err := inMounts(func() (err error) {
		if err = do(
			Mount{Root: dir, Source: "tmpfs", Target: "/m", Type: "tmpfs", Options: []string{"nosuid", "noexec"}},
			Mount{Root: dir, Source: dir + "/m", Target: "/other", Options: []string{"bind"}},
			remount,
		); err != nil {
			return err
		}
		if ours, err = mountLine(dir + "/m"); err != nil {
			return err
		}
		if other, err = mountLine(dir + "/other"); err != nil {
			return err
		}
		if err = do(Mount{Root: dir, Target: "/m", Options: []string{"remount", "bind", "rw"}}); err != nil {
			return err
		}
		if err = exec.Command("sh", "-c", remount.String()).Run(); err != nil {
			return err
		}
		theirs, err = mountLine(dir + "/m")
		return err
	})
	require.NoError(t, err)
	require.Equal(t, "ro,nosuid,noexec,relatime", ours[5])
	require.Equal(t, "rw,nosuid,noexec,relatime", other[5], "the file system itself is not read-only")
	require.Equal(t, ours[5:], theirs[5:])
}

func TestBindKeepsTheFlagsOfItsSource(t *testing.T) {
	dir := t.TempDir()
	for want, options := range map[string][]string{
		"ro,nosuid,nodev,noexec,relatime": {"bind", "ro"},
		"rw,nosuid,nodev,noexec,relatime": {"bind"},
		"ro,nosuid,nodev,relatime":        {"bind", "ro", "exec"},
		"rw,nosuid,nodev,noexec,noatime":  {"bind", "noatime"},
		"rw,nosuid,nodev,noexec":          {"bind", "strictatime"},
	} {
		var fields []string
		err := inMounts(func() (err error) {
			if err = do(
				Mount{Root: dir, Source: "tmpfs", Target: "/s", Type: "tmpfs", Options: []string{"nosuid", "nodev", "noexec"}},
				Mount{Root: dir, Source: dir + "/s", Target: "/t", Options: options},
			); err != nil {
				return err
			}
			fields, err = mountLine(dir + "/t")
			return err
		})
		require.NoError(t, err)
		require.Equal(t, want, fields[5])
	}
}

// lockedChild is in a user namespace, and may not drop the flags of mounts
// that it was given.
func lockedChild(args []string) error {
	source, target := args[0], args[1]
	if err := do(Mount{Source: source, Target: target, Options: []string{"bind"}}); err != nil {
		return err
	}
	naive := unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
	if !errors.Is(naive, unix.EPERM) {
		return errors.New("flags are not locked here, and the test proves nothing")
	}
	return do(
		Mount{Source: source, Target: target, Options: []string{"bind", "ro"}},
		Mount{Source: source, Target: target, Options: []string{"rbind", "rro"}},
	)
}

func TestBindInAUserNamespaceKeepsLockedFlags(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(dir+"/t", 0o755))
	var out []byte
	err := inMounts(func() (err error) {
		if err = do(Mount{Root: dir, Source: "tmpfs", Target: "/s", Type: "tmpfs", Options: []string{"nosuid", "nodev"}}); err != nil {
			return err
		}
		out, err = child("locked", dir+"/s", dir+"/t").CombinedOutput()
		return err
	})
	require.NoError(t, err, "%s", out)
}

func TestMountIsMountForAShell(t *testing.T) {
	require.Equal(t, `mkdir -p /r/proc && mount -t proc -o nosuid,noexec proc /r/proc`,
		Mount{Root: "/r", Source: "proc", Target: "/proc", Type: "proc", Options: []string{"nosuid", "noexec"}}.String())
	require.Equal(t, `{ [ -d '/my data' ] && mkdir -p /r/d || touch /r/d; } && mount --rbind '/my data' /r/d && findmnt -rno TARGET -R /r/d | while read -r m; do mount -o remount,bind,ro "$(printf %b "$m")"; done && mount --make-rslave /r/d`,
		Mount{Root: "/r", Source: "/my data", Target: "/d", Options: []string{"rbind", "rro", "rslave"}}.String())
}

// Every String is run by a real shell, and what it did is compared.
func TestShellDoesWhatTheStepsDo(t *testing.T) {
	for _, step := range []struct {
		name string
		make func(root string) namespaces.Step
	}{
		{"tmpfs", func(r string) namespaces.Step {
			return Mount{Root: r, Source: "tmpfs", Target: "/m", Type: "tmpfs", Options: []string{"nosuid", "size=64k", "mode=700", "rslave"}}
		}},
		{"bind", func(r string) namespaces.Step {
			return Mount{Root: r, Source: "/usr", Target: "/m", Options: []string{"bind", "ro", "nodev"}}
		}},
	} {
		var ours, theirs []string
		run := func(do func(namespaces.Step) error, fields *[]string) {
			root := t.TempDir()
			require.NoError(t, os.Mkdir(root+"/m", 0o755))
			err := inMounts(func() (err error) {
				if err = do(step.make(root)); err != nil {
					return err
				}
				*fields, err = mountLine(root + "/m")
				return err
			})
			require.NoError(t, err, step.name)
		}
		run(namespaces.Step.Do, &ours)
		run(func(s namespaces.Step) error { return exec.Command("bash", "-ec", s.String()).Run() }, &theirs)
		require.Equal(t, ours[5:], theirs[5:], step.name)
	}
}
