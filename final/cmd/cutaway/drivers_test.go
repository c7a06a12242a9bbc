package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"cutaway/chapters/lab"
)

// drivers are the storage drivers that are not the best, and what must be there for each; dir is the place of an engine.
var drivers = map[string]func(t *testing.T, dir string){
	"vfs":            func(*testing.T, string) {},
	"fuse-overlayfs": func(t *testing.T, _ string) { t.Helper(); lab.NeedProgram(t, "fuse-overlayfs") },
	"btrfs":          onBtrfs,
	"devicemapper": func(t *testing.T, _ string) {
		t.Helper()
		f, err := os.Open("/dev/mapper/control") // a name without a driver may be left of an earlier dmsetup
		lab.NeedSupport(t, err, "")
		require.NoError(t, f.Close())
		lab.NeedProgram(t, "dmsetup")
	},
}

// onBtrfs mounts a new btrfs.
func onBtrfs(t *testing.T, dir string) {
	t.Helper()
	lab.NeedProgram(t, "mkfs.btrfs")
	image := filepath.Join(t.TempDir(), "disk")
	require.NoError(t, os.WriteFile(image, nil, 0o600))
	require.NoError(t, os.Truncate(image, 512<<20))
	output(t, "mkfs.btrfs", "-q", image)
	output(t, "mount", "-o", "loop", image, dir)
	t.Cleanup(func() {
		require.Eventually(t, func() bool { return unix.Unmount(dir, 0) == nil }, patience, 20*time.Millisecond)
	})
}

// TestContainersOfEveryStorageDriver does with an engine of each driver what depends on how it keeps layers.
func TestContainersOfEveryStorageDriver(t *testing.T) {
	for driver, prepare := range drivers {
		t.Run(driver, func(t *testing.T) {
			dir := shortDir(t)
			prepare(t, dir)
			engineFor(t, dir, driver)
			require.Equal(t, driver, cutaway(t, "info", "-f", "{{.Driver}}"))

			id := cutaway(t, "run", "-d", image, "sh", "-c", "echo first > /a; rm /bin/wget; sleep 1000; true")
			within(t, id, "[ -e /a ] && [ ! -e /bin/wget ]")
			cutaway(t, "exec", id, "sh", "-c", "mkdir /d; echo second > /d/b")
			require.Equal(t, "A /a\nC /bin\nD /bin/wget\nA /d\nA /d/b", cutaway(t, "diff", id))
			cutaway(t, "commit", id, "made")
			require.Equal(t, "first\nsecond", cutaway(t, "run", "--rm", "made", "sh", "-c", "cat /a /d/b; [ ! -e /bin/wget ]"))
			cutaway(t, "kill", id)
			cutaway(t, "start", id)
			within(t, id, "[ -e /d/b ]")
			cutaway(t, "rm", "-f", id)

			before := devices(t, dir)
			id = cutaway(t, "run", "-d", image, "sh", "-c", "sleep 1000; true")
			sameByHand(t, id)
			require.Eventually(t, func() bool { return devices(t, dir) == before }, patience, 20*time.Millisecond, "the script left its device")
			cutaway(t, "start", id) // it still can be
			within(t, id, "true")
			script := cutaway(t, "explain", "--script", id)
			cutaway(t, "rm", "-f", id)
			if driver != "fuse-overlayfs" { // which would begin with an empty layer
				h := hand(t, script)
				require.Equal(t, 125, h.exit(), "%s", &h.out)
				require.Contains(t, h.out.String(), "this one was only planned, or is removed")
				nothingByHand(t, nil)
			}
		})
	}
}

// within waits until a condition of the shell holds in a container.
func within(t *testing.T, id, condition string) {
	t.Helper()
	require.Eventually(t, func() bool {
		return cutaway(t, "exec", id, "sh", "-c", condition+" && echo yes || echo no") == "yes"
	}, patience, 20*time.Millisecond)
}

// engineFor has the test's commands go to an engine with a storage driver. Nothing of it is left: no mount, no device.
func engineFor(t *testing.T, dir, driver string) {
	t.Helper()
	before := devices(t, dir)
	d, err := startDaemon(dir, "--storage-driver", driver)
	require.NoError(t, err)
	was := host
	host = d.host
	t.Cleanup(func() {
		host = was
		require.NoError(t, d.stop())
		require.NotContains(t, read(t, "/proc/self/mountinfo"), dir+"/")
		require.Eventually(t, func() bool { return devices(t, dir) == before }, patience, 20*time.Millisecond)
	})
}

// devices lists those of device-mapper, and the files in a directory that are behind loop devices.
func devices(t *testing.T, dir string) (list string) {
	t.Helper()
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	require.NoError(t, err)
	names, err := filepath.Glob("/sys/block/dm-*/dm/name")
	require.NoError(t, err)
	for _, f := range append(files, names...) {
		text, err := os.ReadFile(f)
		if err == nil && (strings.HasPrefix(string(text), dir+"/") || slices.Contains(names, f)) { // else it has just gone
			list += string(text)
		}
	}
	return list
}
