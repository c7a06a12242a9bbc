package security

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
)

// inMounts runs f on a thread with private mounts of its own.
func inMounts(f func() error) error {
	return namespaces.OnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return err
		}
		if err := (namespaces.Propagation{Target: "/", Mode: "rprivate"}).Do(); err != nil {
			return err
		}
		return f()
	})
}

// ways are the two in which a step can be done; they must not differ.
var ways = map[string]func(namespaces.Step) error{
	"Do":     namespaces.Step.Do,
	"String": func(s namespaces.Step) error { return exec.Command("bash", "-ec", s.String()).Run() },
}

// each does steps in their order.
func each(do func(namespaces.Step) error, steps ...namespaces.Step) error {
	for _, s := range steps {
		if err := do(s); err != nil {
			return err
		}
	}
	return nil
}

// write makes a file and the directories above it.
func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

// tryWrite makes a file and reports why it could not.
func tryWrite(path string) error {
	err := os.WriteFile(path, nil, 0o600)
	if err == nil {
		_ = os.Remove(path)
	}
	return errors.Unwrap(err)
}

func TestMaskHidesFilesAndDirectories(t *testing.T) {
	for way, do := range ways {
		root := t.TempDir()
		write(t, root+"/proc/a secret", "secret")
		write(t, root+"/proc/dir/secret", "secret")
		var text []byte
		var entries []os.DirEntry
		var written error
		err := inMounts(func() (err error) {
			if err = each(do,
				Mask{Root: root, Path: "/proc/a secret"},
				Mask{Root: root, Path: "/proc/dir"},
				Mask{Root: root, Path: "/proc/none"},
				Mask{Root: root, Path: "/proc/a secret/none"},
			); err != nil {
				return err
			}
			if text, err = os.ReadFile(root + "/proc/a secret"); err != nil {
				return err
			}
			if entries, err = os.ReadDir(root + "/proc/dir"); err != nil {
				return err
			}
			written = tryWrite(root + "/proc/dir/file")
			return nil
		})
		require.NoError(t, err, way)
		require.Empty(t, text, way)
		require.Empty(t, entries, way)
		require.ErrorIs(t, written, unix.EROFS, way)
	}
}

func TestMaskUsesOnlyTheRealNullDevice(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/secret", "secret")
	write(t, root+"/fake", "not null")
	err := inMounts(func() error {
		if err := unix.Mount(root+"/fake", "/dev/null", "", unix.MS_BIND, ""); err != nil {
			return err
		}
		return Mask{Root: root, Path: "/secret"}.Do()
	})
	require.ErrorContains(t, err, "/dev/null is not the null device")
}

func TestReadOnlyPathsCanBeReadAndNotWritten(t *testing.T) {
	for way, do := range ways {
		root := t.TempDir()
		write(t, root+"/sys/file", "text")
		var text []byte
		var dir, file error
		err := inMounts(func() (err error) {
			if err = each(do,
				ReadOnly{Root: root, Path: "/sys"},
				ReadOnly{Root: root, Path: "/none"},
			); err != nil {
				return err
			}
			text, err = os.ReadFile(root + "/sys/file")
			dir = tryWrite(root + "/sys/new")
			file = tryWrite(root + "/sys/file")
			return err
		})
		require.NoError(t, err, way)
		require.Equal(t, "text", string(text), way)
		require.ErrorIs(t, dir, unix.EROFS, way)
		require.ErrorIs(t, file, unix.EROFS, way)
		require.NoError(t, tryWrite(root+"/sys/new"), "only in the other mount namespace")
	}
}
