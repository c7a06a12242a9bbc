package cgroups

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long we wait for the kernel to do what it has been told.
const patience = 10 * time.Second

// Group is a handle of one group: its directory in each hierarchy. It holds no
// descriptor; which file is in which directory is found out by looking. The
// directories need not exist.
type Group struct {
	Paths []string
}

// file finds the first of the names that exists, in whichever directory.
func (g Group) file(names ...string) (string, error) {
	for _, name := range names {
		for _, p := range g.Paths {
			if file := filepath.Join(p, name); exists(file) {
				return file, nil
			}
		}
	}
	return "", &os.PathError{Op: "find", Path: strings.Join(names, " or "), Err: fs.ErrNotExist}
}

// tree lists the directories of the group and of the groups below it, parents first.
func (g Group) tree() []string {
	var dirs []string
	for _, p := range g.Paths {
		_ = filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil // groups come and go
		})
	}
	return dirs
}

// Procs lists the processes in the group and in groups below it, sorted. A
// process that this one cannot see, being in another PID namespace, is missing.
func (g Group) Procs() ([]int, error) {
	var all []int
	for _, dir := range g.tree() {
		pids, err := readProcs(dir)
		if err != nil {
			return nil, fmt.Errorf("list processes: %w", err)
		}
		all = append(all, pids...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// ignoreGone: a group that has been removed is empty. The processes of a threaded
// one (EOPNOTSUPP, cgroup-v2.rst "Threads") are listed by the group above it.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	return err
}

// readProcs lists the processes of one group. v2 shows those of other PID
// namespaces as 0; they are left out, for kill(2) means something else by it.
func readProcs(dir string) ([]int, error) {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	var pids []int
	for line := range strings.FieldsSeq(string(text)) {
		if pid, _ := strconv.Atoi(line); pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids, ignoreGone(err)
}

// Freeze stops every process of the group where it is, and returns when all
// have stopped; they notice nothing. docker pause.
func (g Group) Freeze() error { return g.freeze(true) }

// Thaw lets a frozen group go on. docker unpause.
func (g Group) Thaw() error { return g.freeze(false) }

// freeze writes and then waits: stopping takes a moment, as each process has to
// come out of its system call. v1 can hang in FREEZING until it is told again.
func (g Group) freeze(on bool) error {
	return retry(func() (bool, error) {
		if err := g.writeFreezer(on); err != nil {
			return false, fmt.Errorf("freeze cgroup: %w", err)
		}
		frozen, err := g.Frozen()
		return frozen == on, err
	}, "freeze %q", g.Paths...)
}

// writeFreezer writes to v1's freezer.state if there is one (a hybrid system has
// both), else to v2's cgroup.freeze.
func (g Group) writeFreezer(on bool) error {
	file, err := g.file("freezer.state", "cgroup.freeze")
	if err != nil {
		return err
	}
	words := map[bool]string{true: "1", false: "0"}
	if filepath.Base(file) == "freezer.state" {
		words = map[bool]string{true: "FROZEN", false: "THAWED"}
	}
	return writeFile(file, words[on])
}

// Frozen says whether every process of the group has stopped.
func (g Group) Frozen() (bool, error) {
	file, err := g.file("freezer.state", "cgroup.events")
	if err != nil {
		return false, err
	}
	keys, err := readKeys(file)
	return keys[""] == "FROZEN" || keys["frozen"] == "1", err
}

// Kill sends SIGKILL to every process of the group and of groups below it, also
// to those that they fork meanwhile, and to frozen ones. It returns when none is
// left; after 10 seconds (a process in an uninterruptible wait) that is an error.
//
// v2's cgroup.kill (since Linux 5.14) leaves no time to fork. Without it, the
// processes are frozen while the signals are sent.
func (g Group) Kill() error {
	return retry(func() (bool, error) {
		pids, err := g.Procs()
		if err != nil || len(pids) == 0 {
			return true, err
		}
		defer func() { _ = g.writeFreezer(false) }() // v1: frozen processes do not die
		if file, err := g.file("cgroup.kill"); err != nil {
			_ = g.writeFreezer(true) // without a freezer, repetition must do
		} else if err := ignoreGone(writeFile(file, "1")); err != nil {
			return false, err
		}
		for _, pid := range pids {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return false, fmt.Errorf("kill %d: %w", pid, err)
			}
		}
		return false, nil
	}, "kill the processes of %q", g.Paths...)
}

// Remove kills what is in the group and removes its directories and those below.
// A group that is gone is no error.
func (g Group) Remove() error {
	if err := g.Kill(); err != nil {
		return err
	}
	return retry(func() (bool, error) {
		for _, dir := range slices.Backward(g.tree()) { // its files are the kernel's and go with it, so no os.RemoveAll
			err := unix.Rmdir(dir)
			if errors.Is(err, unix.EBUSY) { // a dead process has not quite left
				return false, nil
			}
			if err != nil && !errors.Is(err, unix.ENOENT) {
				return false, &os.PathError{Op: "rmdir", Path: dir, Err: err}
			}
		}
		return true, nil
	}, "remove cgroup %q", g.Paths...)
}

// retry repeats try until it is done, with longer and longer pauses.
func retry(try func() (done bool, err error), format string, paths ...string) error {
	deadline := time.Now().Add(patience)
	for pause := 500 * time.Microsecond; ; pause = min(2*pause, 50*time.Millisecond) {
		done, err := try()
		if done || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf(format+": not done after %v", paths, patience)
		}
		time.Sleep(pause)
	}
}
