package cgroups

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Create makes a directory in every cgroup hierarchy: the container's own
// groups, whose files hold its limits and count what it uses. A limit belongs
// to a group, never to a process.
//
// Missing parents are made too. Undo kills what is still inside, removes the
// groups, and the parents if they are empty. It waits up to 10 seconds for
// dying processes to leave (EBUSY).
//
// Man page: cgroups(7), mkdir(2)
type Create struct {
	Name  string   // the last part of each path, below the base
	Paths []string // one directory in each hierarchy
}

// Group is the handle of what Create makes.
func (c Create) Group() Group { return Group{Paths: c.Paths} }

// Do makes the directories. Groups that exist already are no error.
//
// What if another container's Undo removes the empty parent between our two
// mkdirs? Then we start again. Once our group exists, its parents are safe.
func (c Create) Do() error {
	for _, path := range c.Paths {
		if err := onCgroupFS(strings.TrimSuffix(path, "/"+c.Name)); err != nil {
			return fmt.Errorf("make cgroup %q: %w", path, err)
		}
		err := fs.ErrNotExist
		for try := 0; try < 100 && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist)); try++ {
			err = os.MkdirAll(path, 0o755)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Undo removes the groups, and as many of the parents as nobody else uses.
func (c Create) Undo() error {
	if err := c.Group().Remove(); err != nil {
		return err
	}
	for _, p := range c.Paths {
		for range strings.Count(c.Name, "/") {
			p = filepath.Dir(p)
			_ = unix.Rmdir(p) // ENOTEMPTY: others use it, and so what is above it
		}
	}
	return nil
}

func (c Create) String() string { return "mkdir -p " + quote(c.Paths...) }

// Delegate switches controllers on for the children of a v2 group. A v2 group
// can use only what its parent passes on, all the way down from the root;
// without this the container's group would have no memory.max at all.
//
// "No internal processes" (cgroup-v2.rst): a group that passes controllers on
// may hold no process itself, or they would compete with its children. Only the
// root is exempt. Where our base is not the root but a group that we live in (in
// a container, in a user's slice), its processes move to the child Leaf first.
//
// There is no Undo: other groups may rely on it.
//
// Man page: cgroups(7)
type Delegate struct {
	Path        string
	Controllers []string
	Leaf        string `json:",omitempty"` // where the processes of Path go; "": Path must have none
}

// Do switches on, and reads back. It writes also when all is on already: another
// process may be about it, and only a write waits until the kernel is done; the
// file shows a controller before the children have its files.
func (d Delegate) Do() error {
	if d.Leaf != "" {
		if err := d.empty(filepath.Join(d.Path, d.Leaf)); err != nil {
			return err
		}
	}
	err := d.set().Do()
	if errors.Is(err, unix.EBUSY) {
		err = fmt.Errorf("%w (processes live in this group, and it is not the root: \"no internal processes\")", err)
	}
	return err
}

// set is what is written: "+memory +pids".
func (d Delegate) set() Set {
	return Set{Path: filepath.Join(d.Path, "cgroup.subtree_control"), Value: "+" + strings.Join(d.Controllers, " +")}
}

// empty moves all processes to the leaf. It repeats, for they may fork.
func (d Delegate) empty(leaf string) error {
	if err := os.MkdirAll(leaf, 0o755); err != nil {
		return err
	}
	return retry(func() (bool, error) {
		pids, err := readProcs(d.Path)
		for _, pid := range pids {
			err := writeFile(filepath.Join(leaf, "cgroup.procs"), fmt.Sprint(pid))
			if err != nil && !errors.Is(err, unix.ESRCH) { // ESRCH: it has ended
				return false, err
			}
		}
		return len(pids) == 0, err
	}, "move the processes of %q", d.Path)
}

func (d Delegate) String() string {
	if d.Leaf == "" {
		return d.set().String()
	}
	leaf := filepath.Join(d.Path, d.Leaf)
	return fmt.Sprintf("mkdir -p %s; while read -r p; do echo $p > %s; done < %s; %s", quote(leaf),
		quote(leaf+"/cgroup.procs"), quote(d.Path+"/cgroup.procs"), d.set())
}

// Inherit copies the processors and memory nodes of the parent to a new v1
// cpuset group. It starts with none, and until it has some no process can join
// it: ENOSPC, "no space left on device", a famous riddle. On v2 empty means "as
// the parent", and nothing needs to be done.
//
// Man page: cpuset(7)
type Inherit struct{ Path string }

// Do copies what is empty, and leaves alone what is set.
func (i Inherit) Do() error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		own, err := readKeys(filepath.Join(i.Path, name))
		parent, err2 := readKeys(filepath.Join(filepath.Dir(i.Path), name))
		if err == nil && err2 == nil && own[""] == "" {
			err = Set{Path: filepath.Join(i.Path, name), Value: parent[""]}.Do()
		}
		if err := errors.Join(err, err2); err != nil {
			return err
		}
	}
	return nil
}

func (i Inherit) String() string {
	own, parent := quote(i.Path), quote(filepath.Dir(i.Path))
	return fmt.Sprintf("cat %[2]s/cpuset.cpus > %[1]s/cpuset.cpus; cat %[2]s/cpuset.mems > %[1]s/cpuset.mems", own, parent)
}

// Join puts the calling process, with all its threads, into the group: from then
// on its limits count, for it and for every child it will have. The container's
// process does it itself, before its program starts, so that nothing ever runs
// outside.
//
// It must come before a new cgroup namespace: that takes the group one is in as
// its root, and hides the way to any other.
//
// Man page: cgroups(7)
type Join struct {
	Name  string   // the last part of each path, below the base
	Paths []string // one directory in each hierarchy
	// Thread moves only the calling thread, where v1 can: enough for one that is
	// about to call execve(2), which ends all others. A whole process waits until
	// no CPU is in the middle of a fork, 5 to 20 ms; a thread that moves itself
	// does not (cgroup_procs_write_start in the kernel, since Linux 5.16).
	Thread bool `json:",omitempty"`
}

// Do writes 0, which means "me", to every cgroup.procs, and verifies by
// /proc/thread-self/cgroup. ENOSPC: a v1 cpuset has no processors or nodes yet.
func (j Join) Do() error {
	for _, p := range j.Paths {
		if err := writeFile(j.file(p), "0"); err != nil {
			return fmt.Errorf("join cgroup: %w", err)
		}
	}
	own, err := os.ReadFile("/proc/thread-self/cgroup")
	n := strings.Count(string(own), "/"+j.Name+"\n")
	if err == nil && n < len(j.Paths) {
		err = fmt.Errorf("join cgroup %q: /proc/thread-self/cgroup shows it in %d of %d hierarchies", j.Name, n, len(j.Paths))
	}
	return err
}

// file is the one to write to: v1 has one for threads, too.
func (j Join) file(dir string) string {
	if tasks := filepath.Join(dir, "tasks"); j.Thread && exists(tasks) {
		return tasks
	}
	return filepath.Join(dir, "cgroup.procs")
}

func (j Join) String() string {
	lines := make([]string, len(j.Paths))
	for i, p := range j.Paths {
		lines[i] = "echo $$ > " + quote(j.file(p))
	}
	return strings.Join(lines, "; ")
}
