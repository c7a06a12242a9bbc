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
// descriptor; which file is in which directory is found out by looking.
type Group struct {
	Paths []string
}

// Open makes a handle of directories that Create has made. They need not exist.
func Open(paths ...string) Group { return Group{Paths: paths} }

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

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Procs lists the processes in the group and in groups below it, sorted. A
// process that this one cannot see, being in another PID namespace, is missing.
func (g Group) Procs() ([]int, error) {
	var all []int
	for _, p := range g.Paths {
		err := filepath.WalkDir(p, func(dir string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return ignoreGone(err)
			}
			pids, err := readProcs(dir)
			all = append(all, pids...)
			return ignoreGone(err)
		})
		if err != nil {
			return nil, fmt.Errorf("list processes of %q: %w", p, err)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// ignoreGone: a group that has been removed is empty.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// readProcs lists the processes of one group. v2 shows those of other PID
// namespaces as 0; they are left out, for kill(2) means something else by it.
func readProcs(dir string) ([]int, error) {
	return readLines(filepath.Join(dir, "cgroup.procs"), func(line string) (int, bool) {
		pid, err := strconv.Atoi(line)
		return pid, err == nil && pid > 0
	})
}

// Kill sends SIGKILL to every process of the group and of groups below it, also
// to those that they fork meanwhile, and to frozen ones. It returns when none is
// left; after 10 seconds (a process in an uninterruptible wait) that is an error.
func (g Group) Kill() error {
	return retry(func() (bool, error) {
		pids, err := g.Procs()
		if err != nil || len(pids) == 0 {
			return true, err
		}
		return false, ignoreGone(g.killAll(pids))
	}, "kill the processes of %q", g.Paths)
}

// killAll uses v2's cgroup.kill (since Linux 5.14), which leaves no time to fork.
// Without it, the processes are frozen while the signals are sent.
func (g Group) killAll(pids []int) error {
	if file, err := g.file("cgroup.kill"); err == nil {
		if err := writeFile(file, "1"); err != nil {
			return err
		}
	} else {
		_ = g.writeFreezer(true) // without a freezer, repetition must do
	}
	defer func() { _ = g.writeFreezer(false) }() // v1: frozen processes do not die
	for _, pid := range pids {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("kill %d: %w", pid, err)
		}
	}
	return nil
}

// Remove kills what is in the group and removes its directories and those below.
// A group that is gone is no error.
func (g Group) Remove() error {
	if !slices.ContainsFunc(g.Paths, exists) {
		return nil
	}
	if err := g.Kill(); err != nil {
		return err
	}
	for _, p := range g.Paths {
		err := retry(func() (bool, error) {
			err := removeTree(p)
			if errors.Is(err, unix.EBUSY) { // a dead process has not quite left
				return false, nil
			}
			return true, err
		}, "remove cgroup %q", p)
		if err != nil {
			return err
		}
	}
	return nil
}

// removeTree removes directories from the leaves up. The files in them are the
// kernel's and go with them, so os.RemoveAll cannot do this.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ignoreGone(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
		return &os.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}

// retry repeats try until it is done, with longer and longer pauses.
func retry(try func() (done bool, err error), format string, args ...any) error {
	deadline := time.Now().Add(patience)
	for pause := 500 * time.Microsecond; ; pause = min(2*pause, 50*time.Millisecond) {
		done, err := try()
		if done || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf(format+": not done after %v", append(args, patience)...)
		}
		time.Sleep(pause)
	}
}
