package exercise

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// What graders look at. Each of these ends the grader, as broken, if there is nothing to look at.

// Link is where a symbolic link leads: of /proc/PID/root, cwd, exe or ns/net.
func (g *G) Link(path string) string {
	g.Helper()
	to, err := os.Readlink(path)
	g.Must(err)
	return to
}

// Read is what a file of the kernel says, without white space around it.
func (g *G) Read(path string) string {
	g.Helper()
	text, err := os.ReadFile(path)
	g.Must(err)
	return strings.TrimSpace(string(text))
}

// Names lists a directory, sorted.
func (g *G) Names(dir string) (names []string) {
	g.Helper()
	entries, err := os.ReadDir(dir)
	g.Must(err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Inode is a file's inode number; a symbolic link is followed.
func (g *G) Inode(path string) uint64 {
	g.Helper()
	info, err := os.Stat(path)
	g.Must(err)
	return info.Sys().(*syscall.Stat_t).Ino
}

// SameFile reports whether two names lead to one file.
func (g *G) SameFile(a, b string) bool {
	g.Helper()
	one, err := os.Stat(a)
	g.Must(err)
	other, err := os.Stat(b)
	g.Must(err)
	return os.SameFile(one, other)
}

// Status is a field of /proc/PID/status (0 = the grader's own): "NSpid", "CapEff", "State".
func (g *G) Status(pid int, field string) string {
	g.Helper()
	for line := range strings.Lines(g.Read(filepath.Join(proc(pid), "status"))) {
		if name, value, _ := strings.Cut(line, ":"); name == field {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	g.Must(fmt.Errorf("/proc/PID/status has no %s", field))
	return ""
}

// Mount is a line of /proc/PID/mountinfo, in part.
type Mount struct {
	Point   string
	Options string   // of the mount: "ro,nosuid"
	Tags    []string // of its propagation: "shared:12", "master:3"; none = private
	Type    string   // of the file system
}

// Mounts reads the mounts that a process sees, in their order (0 = the grader's own): those below its root.
func (g *G) Mounts(pid int) []Mount {
	g.Helper()
	return parseMounts(g.Read(filepath.Join(proc(pid), "mountinfo")))
}

// AllMounts reads all mounts of a process's mount namespace, also those that chroot(2) or another mount hides from it. Their
// points are as seen from the top of the tree.
func (g *G) AllMounts(pid int) []Mount {
	g.Helper()
	p := g.Start(Child{Role: lookAtMounts, Args: []string{fmt.Sprint(pid)}})
	g.Must(p.Err)
	var text string
	p.Saw(&text)
	return parseMounts(text)
}

// lookAtMounts is a role that every chapter has.
const lookAtMounts = "look at mounts"

// mountsFromTheTop joins a mount namespace, which puts us at the top of its tree, and reads what is mounted there. /proc may not
// be: it is held from before.
func mountsFromTheTop(args []string) (any, error) {
	runtime.LockOSThread() // for good: the process has nothing else to do
	held, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	ns, err := os.Open("/proc/" + args[0] + "/ns/mnt")
	if err != nil {
		return nil, err
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return nil, err
	}
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNS); err != nil {
		return nil, err
	}
	fd, err := unix.Openat(int(held.Fd()), "thread-self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(os.NewFile(uintptr(fd), "mountinfo"))
	return string(text), err
}

// parseMounts reads mountinfo. A line:
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime shared:1 - ext3 /dev/root rw
func parseMounts(text string) (all []Mount) {
	for line := range strings.Lines(text) {
		left, right, _ := strings.Cut(line, " - ")
		f := strings.Fields(left)
		kind, _, _ := strings.Cut(right, " ")
		all = append(all, Mount{Point: f[4], Options: f[5], Tags: f[6:], Type: kind})
	}
	return all
}

// MountAt is the uppermost mount at a place, for a process.
func (g *G) MountAt(pid int, point string) (at Mount, ok bool) {
	g.Helper()
	for _, m := range g.Mounts(pid) {
		if m.Point == point {
			at, ok = m, true
		}
	}
	return at, ok
}

func proc(pid int) string {
	if pid == 0 {
		return "/proc/thread-self"
	}
	return fmt.Sprintf("/proc/%d", pid)
}
