package exercises

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	namespaces "cutaway/02-namespaces"
	"cutaway/chapters/exercise"
	"cutaway/chapters/lab"
)

// sleeper is a program that stays until the grader ends.
func sleeper(g *exercise.G, attr *syscall.SysProcAttr) (pid int, err error) {
	g.Helper()
	cmd := exec.Command("cat")
	cmd.SysProcAttr = attr
	stop, err := cmd.StdinPipe()
	g.Must(err)
	if err := cmd.Start(); err != nil {
		stop.Close()
		return 0, err
	}
	g.Cleanup(func() {
		stop.Close()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid, nil
}

func gradeBorn(g *exercise.G) {
	kinds := []namespaces.Kind{namespaces.Mnt, namespaces.UTS, namespaces.IPC, namespaces.PID, namespaces.Cgroup, namespaces.Net}
	rand.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	some := kinds[:exercise.Number(2, len(kinds)-1)]
	pid, err := sleeper(g, namespaces.Clone{New: some}.Attr())
	g.NoError(err, "")
	g.Check(exercise.Check{
		Name: "new namespaces", Want: sorted(some), Got: otherNamespaces(g, pid),
		Hint: "Each kind has one bit for clone(2), Kind.Flag, and SysProcAttr.Cloneflags takes all of them together.",
	})

	lab.NeedRoot(g.T) // for somebody else's numbers
	id := uint32(exercise.Number(1000, 60000))
	c := namespaces.Clone{
		New:    []namespaces.Kind{namespaces.User, namespaces.UTS},
		UIDMap: []namespaces.IDMap{{Inside: 0, Outside: id, Count: 1}}, GIDMap: []namespaces.IDMap{{Inside: 0, Outside: id + 1, Count: 1}},
	}
	pid, err = sleeper(g, c.Attr())
	g.NoError(err, "The runtime becomes the user that Credential names, inside: is that number mapped, and may it call setgroups?")
	proc := fmt.Sprintf("/proc/%d", pid)
	g.Check(exercise.Check{
		Name: "uid_map", Want: fmt.Sprintf("0 %d 1", id), Got: fields(g.Read(filepath.Join(proc, "uid_map"))),
		Hint: "Without maps everybody inside is nobody. SysProcAttr has UidMappings and GidMappings.",
	})
	g.Check(exercise.Check{
		Name: "gid_map", Want: fmt.Sprintf("0 %d 1", id+1), Got: fields(g.Read(filepath.Join(proc, "gid_map"))),
		Hint: "Groups have a map of their own.",
	})
	g.Check(exercise.Check{
		Name: "user", Want: strings.TrimSpace(strings.Repeat(fmt.Sprint(id, " "), 4)), Got: g.Status(pid, "Uid"),
		Hint: "The namespace has a root, and the child is not it: a number does not change by being mapped. SysProcAttr.Credential does that.",
	})
}

// otherNamespaces lists the kinds in which a process is elsewhere than we.
func otherNamespaces(g *exercise.G, pid int) string {
	var all []namespaces.Kind
	for _, k := range namespaces.Kinds {
		if g.Link("/proc/thread-self/ns/"+k.ProcName()) != g.Link(fmt.Sprintf("/proc/%d/ns/%s", pid, k.ProcName())) {
			all = append(all, k)
		}
	}
	return sorted(all)
}

func sorted(kinds []namespaces.Kind) string { return fmt.Sprint(slices.Sorted(slices.Values(kinds))) }

func fields(text string) string { return strings.Join(strings.Fields(text), " ") }
