package cgroups

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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
func (c Create) Do() error {
	for _, p := range c.Paths {
		if err := c.makeGroup(p); err != nil {
			return err
		}
	}
	return nil
}

// makeGroup makes one group and its parents.
//
// What if another container's Undo removes the empty parent between our two
// mkdirs? Then we start again. Once our group exists, its parents are safe.
func (c Create) makeGroup(path string) error {
	base := strings.TrimSuffix(path, "/"+c.Name)
	if err := onCgroupFS(base); err != nil {
		return fmt.Errorf("make cgroup %q: %w", path, err)
	}
	err := fs.ErrNotExist
	for try := 0; try < 100 && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist)); try++ {
		err = os.MkdirAll(path, 0o755)
	}
	return err
}

// Undo removes the groups.
func (c Create) Undo() error {
	if err := c.Group().Remove(); err != nil {
		return err
	}
	for _, p := range c.Paths {
		for name := filepath.Dir(c.Name); name != "."; name = filepath.Dir(name) {
			p = filepath.Dir(p)
			if unix.Rmdir(p) != nil {
				break // not empty: others use it
			}
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
	if err := d.empty(); err != nil {
		return err
	}
	file := filepath.Join(d.Path, "cgroup.subtree_control")
	if err := writeFile(file, d.value()); errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("%w (processes live in this group, and it is not the root: \"no internal processes\")", err)
	} else if err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	have := strings.Fields(string(text))
	for _, c := range d.Controllers {
		if err == nil && !slices.Contains(have, c) {
			err = fmt.Errorf("delegate %q: %q shows only %q", c, file, have)
		}
	}
	return err
}

// value is what is written: "+memory +pids".
func (d Delegate) value() string { return "+" + strings.Join(d.Controllers, " +") }

// empty moves all processes to the leaf. It repeats, for they may fork.
func (d Delegate) empty() error {
	if d.Leaf == "" {
		return nil
	}
	leaf := filepath.Join(d.Path, d.Leaf)
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
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
	enable := "echo " + d.value() + " > " + quote(filepath.Join(d.Path, "cgroup.subtree_control"))
	if d.Leaf == "" {
		return enable
	}
	leaf := filepath.Join(d.Path, d.Leaf)
	return fmt.Sprintf("mkdir -p %s; while read -r p; do echo $p > %s; done < %s; %s", quote(leaf),
		quote(leaf+"/cgroup.procs"), quote(d.Path+"/cgroup.procs"), enable)
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
		own, err := os.ReadFile(filepath.Join(i.Path, name))
		parent, err2 := os.ReadFile(filepath.Join(filepath.Dir(i.Path), name))
		if err == nil && err2 == nil && len(bytes.TrimSpace(own)) == 0 {
			err = Set{Path: filepath.Join(i.Path, name), Value: string(bytes.TrimSpace(parent))}.Do()
		}
		if err := errors.Join(err, err2); err != nil {
			return err
		}
	}
	return nil
}

func (i Inherit) String() string {
	cp := func(name string) string {
		return "cat " + quote(filepath.Join(filepath.Dir(i.Path), name)) + " > " + quote(filepath.Join(i.Path, name))
	}
	return cp("cpuset.cpus") + "; " + cp("cpuset.mems")
}
