package exercises

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
	"cutaway/chapters/exercise"
)

// propagation changes a mode and mounts something below.
func propagation(args []string) (any, error) {
	mode, target, below := args[0], args[1], args[2]
	if err := (namespaces.Propagation{Target: target, Mode: mode}).Do(); err != nil {
		return nil, err
	}
	return nil, unix.Mount("below", below, "tmpfs", 0, "")
}

func gradePropagation(g *exercise.G) {
	outer, inner := sharedMounts(g)
	below := filepath.Join(inner, exercise.Word("below"))
	g.Must(os.Mkdir(below, 0o755))
	g.Cleanup(func() { _ = unix.Unmount(below, unix.MNT_DETACH) }) // if the code let it out
	attr := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}

	for _, row := range []struct{ mode, outer, inner, hint string }{
		{"rprivate", "private", "private", "The mount below has tags still: one flag makes a change for the whole tree."},
		{"private", "private", "shared", "Without the r it is about one mount, and not about those below."},
		{"rslave", "slave", "slave", "Another mode was asked for: the map modes has the flag of each."},
	} {
		p := g.Start(exercise.Child{Role: "propagation", Args: []string{row.mode, outer, below}, Attr: attr})
		g.NoError(p.Err, "mount(2) wants nothing but the target and the flags for this: no source, no type.")
		g.Check(exercise.Check{
			Name: "mode of the mount", Want: row.mode + " → " + row.outer, Got: row.mode + " → " + mode(g, p.PID, outer),
			Hint: "The tags of a mount in mountinfo are its propagation: shared:N, master:N (a slave), or none (private).",
		})
		g.Check(exercise.Check{Name: "mode of the mounts below", Want: row.mode + " → " + row.inner, Got: row.mode + " → " + mode(g, p.PID, inner), Hint: row.hint})
		if row.inner != "shared" {
			_, out := g.MountAt(0, below)
			g.Check(exercise.Check{Name: "mounts of the host", Want: "mounted in the container only", Got: map[bool]string{
				true: "mounted on the host too", false: "mounted in the container only"}[out], Hint: "It is a peer of the host's mount still."})
		}
		_ = unix.Unmount(below, unix.MNT_DETACH)
	}
	p := g.Start(exercise.Child{Role: "propagation", Args: []string{exercise.Word("rpublic"), outer, below}, Attr: attr})
	got := "no error"
	if p.Err != nil {
		got = "an error"
	}
	g.Check(exercise.Check{Name: "unknown mode", Want: "an error", Got: got, Hint: "A word that is not in the map modes has the flag 0, and mount(2) is content with that."})
}

// sharedMounts makes two shared mounts, one in the other.
func sharedMounts(g *exercise.G) (outer, inner string) {
	g.Helper()
	outer = g.Dir("shared")
	inner = filepath.Join(outer, "inner")
	g.Must(unix.Mount("outer", outer, "tmpfs", 0, ""))
	g.Cleanup(func() { g.Must(unix.Unmount(outer, unix.MNT_DETACH)) })
	g.Must(unix.Mount("", outer, "", unix.MS_SHARED, ""))
	g.Must(os.Mkdir(inner, 0o755))
	g.Must(unix.Mount("inner", inner, "tmpfs", 0, ""))
	return outer, inner
}

// mode is the propagation of a mount, in a word.
func mode(g *exercise.G, pid int, point string) string {
	g.Helper()
	at, _ := g.MountAt(pid, point)
	tags := strings.Join(at.Tags, " ")
	switch {
	case strings.Contains(tags, "shared:"):
		return "shared"
	case strings.Contains(tags, "master:"):
		return "slave"
	case tags == "":
		return "private"
	}
	return tags
}
