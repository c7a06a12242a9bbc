package exercises

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"cutaway/chapters/exercise"
)

// inMounts are mounts of one's own, and private as the lab's are.
var inMounts = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}

func gradeJail(g *exercise.G) {
	root := g.Dir("jail")
	p := g.Start(exercise.Child{Role: "jail", Args: []string{root}})
	g.NoError(p.Err, "")
	g.Check(exercise.Check{
		Name: "root directory", Want: root, Got: g.Link(p.Proc("root")),
		Hint: "Absolute paths still start where they did. Which system call moves the root of a process?",
	})
	g.Check(exercise.Check{
		Name: "working directory", Want: root, Got: g.Link(p.Proc("cwd")),
		Hint: "chroot(2) does not move the working directory, which is now above the root: .. leads out from there.",
	})

	file := filepath.Join(root, "file")
	g.Must(os.WriteFile(file, nil, 0o644))
	p = g.Start(exercise.Child{Role: "jail", Args: []string{file}})
	g.Fails(p.Err, unix.ENOTDIR, "a file cannot be a root")
}

func gradePivot(g *exercise.G) {
	mark, root := exercise.Word("here"), g.Dir("jail")
	g.Must(os.WriteFile(filepath.Join(root, mark), nil, 0o644))
	shared := sharedMount(g)

	p := g.Start(exercise.Child{Role: "pivot", Args: []string{root}, Attr: inMounts})
	g.NoError(p.Err, "Where must one stand for pivot_root(2) to take . twice? Its man page has the example.")
	g.Check(exercise.Check{
		Name: "root directory", Want: []string{mark}, Got: g.Names(p.Proc("root")),
		Hint: "/ should hold what p.Root held, and nothing else: no directory for the old root, for example.",
	})
	g.Check(exercise.Check{
		Name: "old tree", Want: "1 mount", Got: mounts(len(g.AllMounts(p.PID))),
		Hint: "The old tree is mounted still. chroot(2) moves no mount, and pivot_root(2) moves them only: somebody has to unmount " +
			"what is stacked on / now. It is busy, for we stand in it; umount2(2) has a flag for that.",
	})
	g.Check(exercise.Check{
		Name: "working directory", Want: []string{mark}, Got: g.Names(p.Proc("cwd")),
		Hint: "The working directory is still in the old tree: .. leads out from there.",
	})
	g.Check(exercise.Check{
		Name: "descriptors", Want: "none is of a directory", Got: openDirectories(g, p.Proc("fd")),
		Hint: "A detached tree lives as long as somebody holds a descriptor of it, and fchdir(2) leads back there.",
	})
	_, stays := g.MountAt(0, shared)
	g.Check(exercise.Check{
		Name: "mounts of the host", Want: shared, Got: map[bool]string{true: shared, false: "it is unmounted on the host too"}[stays],
		Hint: "Shared mounts tell each other of an unmount. Which propagation, for the old tree and all below, keeps it in here?",
	})
}

// sharedMount makes a mount in a shared one, and returns its place.
func sharedMount(g *exercise.G) string {
	outer := g.Dir("shared")
	inner := filepath.Join(outer, "inner")
	g.Must(unix.Mount("outer", outer, "tmpfs", 0, ""))
	g.Cleanup(func() { g.Must(unix.Unmount(outer, unix.MNT_DETACH)) })
	g.Must(unix.Mount("", outer, "", unix.MS_SHARED, ""))
	g.Must(os.Mkdir(inner, 0o755))
	g.Must(unix.Mount("inner", inner, "tmpfs", 0, ""))
	return inner
}

func mounts(n int) string {
	if n == 1 {
		return "1 mount"
	}
	return fmt.Sprintf("%d mounts", n)
}

// openDirectories says which of a process's descriptors are of directories.
func openDirectories(g *exercise.G, dir string) string {
	var all []string
	for _, fd := range g.Names(dir) {
		if info, err := os.Stat(filepath.Join(dir, fd)); err == nil && info.IsDir() {
			all = append(all, fd)
		}
	}
	if all == nil {
		return "none is of a directory"
	}
	return "of a directory: " + strings.Join(all, ", ")
}

func gradeEinval(g *exercise.G) {
	root := g.Dir("jail")
	for _, c := range []struct{ reason, says, hint string }{
		{"no mount point", "not a mount point", "statx(2) has an attribute for the root of a mount, and a mask that says whether the kernel knows it."},
		{"shared", "shared", "The root is a mount point this time: what remains is a shared mount, or the initial ramfs."},
	} {
		p := g.Start(exercise.Child{Role: "pivot wrongly", Args: []string{c.reason, root}, Attr: inMounts})
		if p.Err == nil && c.reason == "shared" {
			break // Pivot.Do made it private, and so there is nothing to explain
		}
		if !errors.Is(p.Err, unix.EBUSY) { // which of the two depends on what is above
			g.Fails(p.Err, unix.EINVAL, "the root's place is wrong: "+c.reason)
		}
		text := p.Err.Error()
		g.Check(exercise.Check{
			Name: c.reason, Want: "what failed, and why: pivot_root " + root + " … " + c.says, Got: told(text, "pivot_root "+root, c.says), Hint: c.hint,
		})
	}
	p := g.Start(exercise.Child{Role: "pivot wrongly", Args: []string{"no mount point", filepath.Join(root, "none")}, Attr: inMounts})
	g.Fails(p.Err, unix.ENOENT, "there is no such directory")
}

// told is text, or a sentence of what it says if that is all the words.
func told(text string, words ...string) string {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return text
		}
	}
	return "what failed, and why: " + strings.Join(words, " … ")
}

func gradeBreakout(g *exercise.G) {
	root := g.Dir("jail")
	for range exercise.Number(2, 8) {
		root = filepath.Join(root, exercise.Word("deep"))
	}
	g.Must(os.MkdirAll(root, 0o755))

	p := g.Start(exercise.Child{Role: "breakout", Args: []string{"chroot", root}, Attr: inMounts})
	g.NoError(p.Err, "A second chroot(2) that leaves the working directory where it is: what is above it, for the kernel?")
	where, hint := g.Link(p.Proc("root")), "You came out of the jail, and not to the top: how do you know, from . and .., that there is nothing above?"
	if strings.HasPrefix(where, root) {
		hint = "You are in the second, smaller jail: the working directory must stay above the new root, or .. ends there."
		if g.Link(p.Proc("cwd")) == "/" {
			hint = "The working directory is outside, and absolute paths still start in the second jail: make the top the root."
		}
	}
	g.Check(exercise.Check{Name: "root directory", Want: "/", Got: where, Hint: hint})

	p = g.Start(exercise.Child{Role: "breakout", Args: []string{"pivot", root}, Attr: inMounts})
	var held bool
	p.Saw(&held)
	g.Check(exercise.Check{
		Name: "verdict", Want: "ErrHeld, after a Pivot", Got: map[bool]any{true: "ErrHeld, after a Pivot", false: or(p.Err, "no error, and yet the jail")}[held],
		Hint: "Where climbing ends is the old jail itself, if there is nothing above. os.SameFile compares the two.",
	})
}

func or(err error, text string) string {
	if err != nil {
		return err.Error()
	}
	return text
}
