package plan

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"cutaway/final/volume"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// dialogue has a child and a parent talk over a connection.
func dialogue(t *testing.T, p *Plan, before func(*Item) error) (parent, child error) {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan error)
	go func() {
		err := Perform(theirs)
		_ = theirs.Close() // what execve and what the end of a process do
		done <- err
	}()
	c := Child{Conn: ours, Before: before}
	if parent = c.Brief(p); parent == nil {
		parent = c.Command(p)
	}
	_ = ours.Close()
	return parent, <-done
}

func TestTheChildDoesWhatItIsSent(t *testing.T) {
	dir := t.TempDir()
	p := New("c")
	// The last step of a real plan does not return; this one ends with the file.
	p.Add(Inside, volume.Directory{Path: filepath.Join(dir, "a")}, volume.File{Path: filepath.Join(dir, "a/b"), Content: "c"}, volume.Directory{Path: filepath.Join(dir, "z")})
	parent, child := dialogue(t, p, nil)
	require.NoError(t, parent)
	require.NoError(t, child)
	require.FileExists(t, filepath.Join(dir, "a/b"))
	require.Equal(t, Done, p.Items[1].State)
	require.NotZero(t, p.Items[1].Took)
}

func TestTheLastStepWaitsForTheCable(t *testing.T) {
	dir := t.TempDir()
	p := New("c")
	p.Add(Inside, volume.Directory{Path: filepath.Join(dir, "a")}, volume.Directory{Path: filepath.Join(dir, "z")})
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		_ = Perform(theirs)
		_ = theirs.Close()
	}()
	c := Child{Conn: ours, Connected: func() error {
		require.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(dir, "a")); return err == nil }, time.Minute, time.Millisecond)
		return syscall.ENODEV
	}}
	require.NoError(t, c.Brief(p))
	require.ErrorIs(t, c.Command(p), syscall.ENODEV)
	require.NoDirExists(t, filepath.Join(dir, "z"))
}

func TestAChildThatIsGoneFailsTheLastStep(t *testing.T) {
	p := New("c")
	p.Add(Inside, volume.Directory{Path: "/never"}, volume.Directory{Path: "/never/either"})
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	c := Child{Conn: ours, Connected: func() error {
		_, err := theirs.WriteString(`{"i":0,"state":"done","took":1}` + "\n") // its only report
		return errors.Join(err, theirs.Close())
	}}
	require.NoError(t, c.Brief(p))
	var f *Failure
	require.ErrorAs(t, c.Command(p), &f)
	require.Equal(t, "volume.Directory", f.Step)
	require.ErrorContains(t, f, "the child ended")
	require.Equal(t, Failed, p.Items[1].State)
}

func TestAFailureInsideIsTheSameErrorOutside(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	p := New("c")
	p.Add(Inside, volume.Directory{Path: file + "/below"}, volume.Directory{Path: "/never"})
	parent, child := dialogue(t, p, nil)
	require.ErrorIs(t, child, syscall.ENOTDIR)
	require.ErrorIs(t, parent, syscall.ENOTDIR)
	var f *Failure
	require.ErrorAs(t, parent, &f)
	require.Equal(t, "volume.Directory", f.Step)
	require.Equal(t, "mkdir", f.Call)
	require.Equal(t, file, f.Path)
	require.Equal(t, Failed, p.Items[0].State)
}

func TestAHeldChildWaitsBeforeEachStep(t *testing.T) {
	dir := t.TempDir()
	p := New("c")
	p.Add(Inside, volume.Directory{Path: filepath.Join(dir, "a")}, volume.Directory{Path: filepath.Join(dir, "b")}, volume.Directory{Path: filepath.Join(dir, "c")})
	stop := errors.New("enough")
	parent, child := dialogue(t, p, func(it *Item) error {
		if it == p.Items[1] {
			require.DirExists(t, filepath.Join(dir, "a"))
			require.NoDirExists(t, filepath.Join(dir, "b"))
			return stop
		}
		return nil
	})
	require.ErrorIs(t, parent, stop)
	require.Error(t, child)
	require.NoDirExists(t, filepath.Join(dir, "b"))
}

func TestAChildWithoutOrdersGivesUp(t *testing.T) {
	ours, theirs := net.Pipe()
	require.NoError(t, ours.Close())
	require.Error(t, Perform(theirs))
}
