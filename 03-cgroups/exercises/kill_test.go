package exercises

import (
	"os"
	"os/exec"
	"path/filepath"

	"cutaway/chapters/exercise"
)

func gradeKill(g *exercise.G) {
	bystander := exec.Command("sleep", "1000")
	g.Must(bystander.Start())
	g.Cleanup(func() {
		_ = bystander.Process.Kill()
		_ = bystander.Wait()
	})
	b := newLimitedBox(g)
	b.start(spinner)
	below := b
	below.Paths = nil
	for _, p := range b.Paths {
		below.Paths = append(below.Paths, filepath.Join(p, exercise.Word("below")))
		g.Must(os.Mkdir(below.Paths[len(below.Paths)-1], 0o755))
	}
	below.start(spinner)
	below.start("echo ready; exec sleep 1000")
	b.slow()
	g.NoError(b.Kill(), "Is it SIGKILL? And are frozen processes let go, so that they can die?")
	left := b.members()
	hint := "It takes a moment to die, and much longer where there is little processor time: Kill returns when nobody is left."
	for _, dir := range below.Paths {
		if pids, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs")); len(pids) > 0 {
			hint = "There are groups below the group; Procs knows. And it takes a moment to die."
		}
	}
	g.Check(exercise.Check{Name: "processes left", Want: []int{}, Got: left, Hint: hint})

	b.release()
	b.start(spinner)
	b.write("1", "cgroup.freeze")
	b.write("FROZEN", "freezer.state")
	g.NoError(b.Kill(), "v1 keeps whom it has frozen, also from dying.")
	g.Check(exercise.Check{Name: "frozen processes left", Want: []int{}, Got: b.members(), Hint: "v1 keeps whom it has frozen, also from dying."})
	g.NoError(b.Kill(), "Nobody is left to be killed, which is what was asked for.")
	g.Check(exercise.Check{Name: "bystander", Want: "S (sleeping)", Got: g.Status(bystander.Process.Pid, "State"), Hint: "It was not in the group."})
}
