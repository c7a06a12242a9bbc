package exercises

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	cgroups "cutaway/03-cgroups"
	"cutaway/chapters/exercise"
	"cutaway/chapters/lab"
)

// patience is how long something may take that has to come.
const patience = 10 * time.Second

// box is a group of a grader's own. Nothing that a learner writes is needed to make, fill and remove it.
type box struct {
	cgroups.Group
	g    *exercise.G
	sys  *cgroups.System // without v1's cpuset, in whose groups nobody can be at first
	name string
}

// newBox makes directories, and passes no controller on.
func newBox(g *exercise.G) box {
	g.Helper()
	sys, err := cgroups.Detect()
	g.Must(err)
	sys.Hierarchies = slices.DeleteFunc(sys.Hierarchies, func(h cgroups.Hierarchy) bool {
		return h.Version == cgroups.V1 && slices.Contains(h.Controllers, "cpuset")
	})
	b := box{g: g, sys: sys, name: lab.CgroupName(g.T) + "/" + exercise.Word("box")}
	b.Group = sys.Create(b.name).Group()
	g.Cleanup(b.remove)
	g.Must(sys.Create(b.name).Do())
	return b
}

// newLimitedBox makes a group with all controllers.
func newLimitedBox(g *exercise.G) box {
	g.Helper()
	b := newBox(g)
	steps, err := b.sys.Steps(b.name, cgroups.Limits{})
	g.Must(err)
	for _, s := range steps {
		g.Must(s.Do())
	}
	return b
}

// file is the first of the names that exists in the group, in whichever hierarchy; "" if none does.
func (b box) file(names ...string) string {
	for _, name := range names {
		for _, p := range b.Paths {
			if _, err := os.Stat(filepath.Join(p, name)); err == nil {
				return filepath.Join(p, name)
			}
		}
	}
	return ""
}

// write writes value to the file that has one of the names, if there is one.
func (b box) write(value any, names ...string) {
	b.g.Helper()
	if file := b.file(names...); file != "" {
		b.g.Must(os.WriteFile(file, fmt.Append(nil, value), 0))
	}
}

// put moves a process in.
func (b box) put(pid int) {
	b.g.Helper()
	for _, p := range b.Paths {
		b.g.Must(os.WriteFile(filepath.Join(p, "cgroup.procs"), fmt.Append(nil, pid), 0))
	}
}

// tree lists the directories of the group, children first, and then the parents that the box has for itself.
func (b box) tree() (dirs []string) {
	for _, p := range b.Paths {
		_ = filepath.WalkDir(filepath.Dir(p), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
	}
	slices.Reverse(dirs)
	return dirs
}

// members lists the processes in the group and below.
func (b box) members() []int {
	pids := []int{}
	for _, dir := range b.tree() {
		text, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for word := range strings.FieldsSeq(string(text)) {
			pid, _ := strconv.Atoi(word)
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

// release lets everybody go on at full speed.
func (b box) release() {
	for file, value := range map[string]string{
		"cgroup.freeze": "0", "freezer.state": "THAWED", "cpu.max": "max", "cpu.cfs_quota_us": "-1",
	} {
		if path := b.file(file); path != "" {
			_ = os.WriteFile(path, []byte(value), 0)
		}
	}
}

func (b box) remove() {
	b.release()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for _, pid := range b.members() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		for _, dir := range b.tree() {
			_ = os.Remove(dir)
		}
		if len(b.tree()) == 0 {
			return
		}
	}
	b.g.Must(errors.New("the group could not be removed"))
}

// start runs a shell script; it is in the group when its first line has been read, and ends with the grader.
func (b box) start(script string) *exec.Cmd {
	b.g.Helper()
	cmd := exec.Command("sh", "-c", "read go; "+script)
	in, err := cmd.StdinPipe()
	b.g.Must(err)
	out, err := cmd.StdoutPipe()
	b.g.Must(err)
	b.g.Must(cmd.Start())
	b.g.Cleanup(func() {
		b.release()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		in.Close()
	})
	b.put(cmd.Process.Pid)
	_, err = fmt.Fprintln(in, "go")
	b.g.Must(err)
	if strings.Contains(script, "echo ready") {
		_, err = bufio.NewReader(out).ReadString('\n')
		b.g.Must(err)
	}
	return cmd
}

// spinner uses the processor and does not listen to SIGTERM, nor do those that it starts. It takes a moment until all are dead.
const spinner = `trap "" TERM; for i in 1 2 3 4; do sleep 1000 & done; echo ready; while :; do :; done`

// slow gives the group a tenth of a processor, and returns when this second's has been used up: for most of a second nobody
// in it gets to do anything, not even to stop or to die.
func (b box) slow() {
	b.g.Helper()
	b.write("100000 1000000", "cpu.max")
	b.write(1000000, "cpu.cfs_period_us")
	b.write(100_000, "cpu.cfs_quota_us")
	stat := filepath.Join(filepath.Dir(b.file("cpu.max", "cpu.cfs_quota_us")), "cpu.stat")
	usage := cmp.Or(b.file("cpuacct.usage"), stat)
	throttled := func() string { // is counted when a second is over
		_, text, _ := strings.Cut(b.g.Read(stat), "nr_throttled ")
		n, _, _ := strings.Cut(text, "\n")
		return n
	}
	used := func() string {
		text, _, _ := strings.Cut(b.g.Read(usage), "\nnr_periods")
		return text
	}
	for before, end := throttled(), time.Now().Add(patience); ; {
		last := used()
		time.Sleep(20 * time.Millisecond)
		if throttled() != before && used() == last {
			return
		}
		if time.Now().After(end) {
			b.g.Must(errors.New("the group is not throttled"))
		}
	}
}
