package exercises

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
	"cutaway/chapters/exercise"
)

// patience is how long something may take that has to come.
const patience = 10 * time.Second

// pid1 is the first process of a namespace.
func pid1(args []string) (any, error) {
	status, err := namespaces.Init(args)
	if err == nil {
		os.Exit(status)
	}
	return nil, err
}

// initOf is the command that runs a shell script below Init.
func initOf(g *exercise.G, script string) *exec.Cmd {
	g.Helper()
	cmd := exercise.Child{
		Role: "init", Args: []string{"sh", "-c", script},
		Attr: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID, Pdeathsig: unix.SIGKILL},
	}.Command()
	out := g.Output()
	g.Cleanup(func() { out.Close() })
	cmd.Stdout, cmd.Stderr = out, out
	return cmd
}

func gradeInit(g *exercise.G) {
	n := exercise.Number(3, 100)
	g.Check(exercise.Check{Name: "exit status", Want: n, Got: ends(g, initOf(g, fmt.Sprint("exit ", n))),
		Hint: "What wait4(2) writes is not the status: it has to be taken apart. And os.Exit gets what Init returns."})
	signal := []unix.Signal{unix.SIGKILL, unix.SIGUSR1, unix.SIGALRM}[exercise.Number(0, 3)]
	g.Check(exercise.Check{Name: "end by a signal", Want: 128 + int(signal), Got: ends(g, initOf(g, fmt.Sprintf("kill -%d $$", signal))),
		Hint: "A process that a signal ended has no exit status. A shell says 128 and the signal's number, and so does docker."})
	gradeOrphans(g)
	gradeSignals(g)
}

// ends runs a command and returns its status.
func ends(g *exercise.G, cmd *exec.Cmd) string {
	g.Helper()
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		g.Must(err)
	}
	if cmd.ProcessState.ExitCode() < 0 {
		return cmd.ProcessState.String()
	}
	return fmt.Sprint(cmd.ProcessState.ExitCode())
}

// gradeOrphans lets some processes lose their parents and end.
func gradeOrphans(g *exercise.G) {
	many := exercise.Number(5, 20)
	cmd := initOf(g, fmt.Sprintf(`i=0; while [ $i -lt %d ]; do sh -c ': & exec true'; i=$((i+1)); done; echo done; read line`, many))
	stop, ready := begin(g, cmd)
	g.Check(exercise.Check{Name: "orphans", Want: "done", Got: ready, Hint: "The command did not get to its end."})
	zombies := 0
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if zombies = countZombies(g, cmd.Process.Pid); zombies == 0 || time.Now().After(end) {
			break
		}
	}
	g.Check(exercise.Check{Name: "orphans", Want: "0 zombies", Got: fmt.Sprint(zombies, " zombies"),
		Hint: "Orphans of the namespace become children of PID 1, and stay zombies until it waits for them. One SIGCHLD may stand for many."})
	stop()
}

// begin starts a command whose first line of output says that it is ready.
func begin(g *exercise.G, cmd *exec.Cmd) (stop func(), ready string) {
	g.Helper()
	in, err := cmd.StdinPipe()
	g.Must(err)
	cmd.Stdout = nil
	out, err := cmd.StdoutPipe()
	g.Must(err)
	g.Must(cmd.Start())
	g.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	ready, _ = bufio.NewReader(out).ReadString('\n')
	return func() { in.Close() }, strings.TrimSpace(ready)
}

// countZombies counts the children of a process that have ended and were not waited for.
func countZombies(g *exercise.G, parent int) (n int) {
	for _, name := range g.Names("/proc") {
		text, err := os.ReadFile("/proc/" + name + "/status")
		if err == nil && strings.Contains(string(text), "State:\tZ") && strings.Contains(string(text), fmt.Sprintf("PPid:\t%d\n", parent)) {
			n++
		}
	}
	return n
}

// gradeSignals sends a signal to PID 1, as "docker stop" does.
func gradeSignals(g *exercise.G) {
	n := exercise.Number(3, 100)
	cmd := initOf(g, fmt.Sprintf(`trap 'exit %d' TERM; echo ready; while :; do sleep 0.02; done`, n))
	begin(g, cmd)
	_ = cmd.Process.Signal(unix.SIGTERM) // it may have ended, and that will show
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	got := fmt.Sprint("the command runs still, after ", patience)
	hint := "For PID 1 a signal without a handler does nothing, and the command never hears of it: docker stop waits ten seconds, and kills."
	select {
	case <-ended:
		got = fmt.Sprint("exit status ", cmd.ProcessState.ExitCode())
		hint = "PID 1 itself died of the signal, as a Go program does that has not asked for signals, and took the command along. It was meant for the command."
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		<-ended
	}
	g.Check(exercise.Check{Name: "SIGTERM", Want: fmt.Sprint("exit status ", n), Got: got,
		Hint: hint})
}
