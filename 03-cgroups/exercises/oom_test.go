package exercises

import (
	"errors"
	"io/fs"
	"os/exec"
	"syscall"

	cgroups "cutaway/03-cgroups"
	"cutaway/chapters/exercise"
)

func gradeOOM(g *exercise.G) {
	b := newLimitedBox(g)
	limit := exercise.Number(2000, 4000) * 4096
	b.write(limit, "memory.max", "memory.limit_in_bytes")
	b.write(0, "memory.swap.max")
	b.write(limit, "memory.memsw.limit_in_bytes")
	n, err := b.OOMKills()
	g.NoError(err, "Which file of the group counts it? It is another one in v1 and in v2.")
	g.Check(exercise.Check{Name: "killed", Want: 0, Got: n, Hint: "Nobody was killed in this group yet."})

	kills := exercise.Number(2, 5)
	for range kills {
		killed(g, b.start("exec tail /dev/zero"))
	}
	other := b.start("echo ready; exec sleep 1000")
	g.Must(other.Process.Kill())
	killed(g, other)
	n, err = b.OOMKills()
	g.NoError(err, "")
	hint := "Whoever reads memory.failcnt, or the line max of memory.events, counts how often memory was short; the kernel killed more rarely."
	if n == 1 || n > uint64(kills) && n <= uint64(kills)+1 {
		hint = "It is a number, and not a question with yes and no; and whom somebody killed with a signal, memory did not kill."
	}
	g.Check(exercise.Check{Name: "killed", Want: kills, Got: n, Hint: hint})
	_, err = cgroups.Group{Paths: []string{g.TempDir()}}.OOMKills()
	g.Fails(err, fs.ErrNotExist, "there is no such file: a zero would be a lie")
}

// killed waits for the end of a process that has to be killed.
func killed(g *exercise.G, cmd *exec.Cmd) {
	g.Helper()
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		g.Must(errors.Join(errors.New("the kernel did not kill it"), err))
	}
}
