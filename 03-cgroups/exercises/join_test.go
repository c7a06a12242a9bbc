package exercises

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	cgroups "cutaway/03-cgroups"
	"cutaway/chapters/exercise"
)

// join goes into a group, and has a child that says where it is.
func join(args []string) (any, error) {
	var j cgroups.Join
	if err := json.Unmarshal([]byte(args[0]), &j); err != nil {
		return nil, err
	}
	if err := j.Do(); err != nil {
		return "", err
	}
	child, err := exec.Command("cat", "/proc/self/cgroup").Output()
	return string(child), err
}

func gradeJoin(g *exercise.G) {
	b := newBox(g)
	// In a PID namespace of its own: it does not know the number by which we know it.
	role := exercise.Child{Role: "join", Args: []string{text(b.sys.Join(b.name))}, Attr: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}}
	p := g.Start(role)
	b.g.Cleanup(b.release)
	g.NoError(p.Err, "cgroup.procs takes a number, and 0 means something.")
	where := g.Read(p.Proc("cgroup"))
	hint := "Every directory of j.Paths has a file cgroup.procs."
	if inside(where, filepath.Dir(b.name)) > 0 {
		hint = "It is one level too high: the group's limits do not count for it."
	}
	g.Check(exercise.Check{Name: "groups", Want: groups(len(b.Paths)), Got: groups(inside(where, b.name)), Hint: hint})
	var child string
	p.Saw(&child)
	g.Check(exercise.Check{Name: "the child's groups", Want: groups(len(b.Paths)), Got: groups(inside(child, b.name)), Hint: "A child is born where the thread is that has it."})

	lost := b.sys.Join(b.name)
	lost.Paths = append(slices.Clone(lost.Paths), newBox(g).Paths[0]) // which takes it out of the first again
	role.Args = []string{text(lost)}
	if p = g.Start(role); p.Err == nil {
		g.Check(exercise.Check{
			Name: "doubt", Want: "an error: one of the groups does not have it", Got: "no error",
			Hint: "Every write succeeded, and the last one undid the first: ask /proc/thread-self/cgroup where you are.",
		})
	}
	lost.Paths = []string{filepath.Join(b.Paths[0], exercise.Word("gone"))}
	role.Args = []string{text(lost)}
	g.Fails(g.Start(role).Err, fs.ErrNotExist, "there is no such group")
}

func text(j cgroups.Join) string {
	text, err := json.Marshal(j)
	if err != nil {
		panic(err) // plain data
	}
	return string(text)
}

// inside counts the lines of /proc/PID/cgroup that name a group.
func inside(lines, name string) int { return strings.Count(lines+"\n", "/"+name+"\n") }

func groups(n int) string { return fmt.Sprintf("in the group, in %d hierarchies", n) }
