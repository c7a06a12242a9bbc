package chroot_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	chroot "cutaway/01-chroot"
	"cutaway/chapters/lab"
)

func TestMain(m *testing.M) { lab.Main(m, lab.Sandbox) }

// onThread runs f on a thread with its own root, working directory and mounts,
// which ends with f. It is never the main thread: that one cannot end, and
// /proc/self is about it.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			defer runtime.UnlockOSThread()
			done <- onThread(f) // elsewhere, while this goroutine keeps the main thread
			return
		}
		err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, "")
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// jail makes a directory with a file "inside" in it, and a sibling "outside".
func jail(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	root := filepath.Join(dir, "jail")
	require.NoError(t, os.MkdirAll(filepath.Join(root, "etc"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "etc/name"), []byte("inside"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "name"), []byte("outside"), 0o644))
	return root
}

func bind(dir string) error { return unix.Mount(dir, dir, "", unix.MS_BIND, "") }

func TestChrootMovesRootAndWorkingDirectory(t *testing.T) {
	root := jail(t)
	var absolute, relative []byte
	var up bool
	err := onThread(func() (err error) {
		if err = (chroot.Chroot{Root: root}).Do(); err != nil {
			return err
		}
		if absolute, err = os.ReadFile("/etc/name"); err != nil {
			return err
		}
		if relative, err = os.ReadFile("etc/name"); err != nil {
			return err
		}
		_, e := os.Stat("../name")
		up = e == nil
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, "inside", string(absolute))
	require.Equal(t, "inside", string(relative))
	require.False(t, up, ".. does not lead above the root")
}

func TestChrootErrorNamesCallAndDirectory(t *testing.T) {
	file := filepath.Join(jail(t), "etc/name")
	err := onThread(chroot.Chroot{Root: file}.Do)
	require.ErrorIs(t, err, unix.ENOTDIR)
	require.EqualError(t, err, "chroot "+file+": not a directory")
	require.ErrorIs(t, onThread(chroot.Chroot{Root: file + "/none"}.Do), unix.ENOTDIR)
}

func TestPivotLeavesNoMountOfTheOldTree(t *testing.T) {
	root := jail(t)
	require.NoError(t, os.Mkdir(filepath.Join(root, "proc"), 0o755))
	var mounts, name []byte
	err := onThread(func() (err error) {
		if err = bind(root); err != nil {
			return err
		}
		if err = unix.Mount("proc", filepath.Join(root, "proc"), "proc", 0, ""); err != nil {
			return err
		}
		if err = (chroot.Pivot{Root: root}).Do(); err != nil {
			return err
		}
		if name, err = os.ReadFile("etc/name"); err != nil {
			return err
		}
		mounts, err = os.ReadFile("/proc/thread-self/mountinfo")
		return err
	})
	require.NoError(t, err)
	require.Equal(t, "inside", string(name))
	require.Len(t, strings.Split(strings.TrimSpace(string(mounts)), "\n"), 2, "/ and /proc:\n%s", mounts)
}

func TestPivotDoesNotUnmountOnTheOtherSide(t *testing.T) {
	root := jail(t)
	before, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	err = onThread(func() error {
		if err := bind(root); err != nil {
			return err
		}
		return chroot.Pivot{Root: root}.Do()
	})
	require.NoError(t, err)
	after, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
}

func TestPivotSaysWhyItIsInvalid(t *testing.T) {
	root := jail(t)
	err := onThread(chroot.Pivot{Root: root}.Do)
	t.Log(err)
	require.ErrorContains(t, err, "not a mount point")

	err = onThread(func() error {
		if err := unix.Mount("", "/", "", unix.MS_SHARED|unix.MS_REC, ""); err != nil {
			return err
		}
		if err := bind(root); err != nil {
			return err
		}
		return chroot.Pivot{Root: root}.Do()
	})
	require.ErrorIs(t, err, unix.EINVAL)
	require.ErrorContains(t, err, "shared")
}

func TestStepsAreCommandsOfAShell(t *testing.T) {
	require.Equal(t, "chroot /srv/web /bin/sh", chroot.Chroot{Root: "/srv/web"}.String())
	require.Contains(t, chroot.Pivot{Root: "/it's here"}.String(), `cd '/it'\''s here' && pivot_root . .`)
}

func TestSourceHoldsTheSteps(t *testing.T) {
	text, err := chroot.Source.ReadFile("pivot.go")
	require.NoError(t, err)
	require.Contains(t, string(text), "Man page: pivot_root(2)")
}
