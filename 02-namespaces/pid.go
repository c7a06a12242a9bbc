package namespaces

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// PIDs returns the numbers that the process pid has, one for each PID
// namespace in which it is seen: first the one of /proc, last its own. For a
// container's first process the last is 1. The line in /proc/PID/status:
//
//	NSpid:	4711	1
func PIDs(pid int) ([]int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil, err
	}
	_, line, _ := strings.Cut(string(text), "\nNSpid:")
	line, _, _ = strings.Cut(line, "\n")
	var pids []int
	for word := range strings.FieldsSeq(line) {
		n, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("NSpid of process %d: %w", pid, err)
		}
		pids = append(pids, n)
	}
	return pids, nil
}

// Init runs argv as the child of a PID 1 that knows its two duties, and
// returns the command's exit status, or 128 and the signal that ended it. It
// is what "docker run --init" puts before a program that does not know them.
//
// # Why PID 1 is special
//
// Orphans of the namespace become its children: unless it waits for them they
// stay zombies for ever. And a signal for which it has no handler does
// nothing, even SIGTERM (pid_namespaces(7)); "docker stop" then waits ten
// seconds and kills. Init reaps everything and passes on every signal.
func Init(argv []string) (status int, err error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return 0, err
	}
	signals := make(chan os.Signal, 64)
	signal.Notify(signals) // all of them, and before there is a child to miss
	defer signal.Stop(signals)
	child, err := os.StartProcess(path, argv, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		return 0, err
	}
	for s := range signals {
		switch s {
		case unix.SIGURG: // the Go runtime's own, for preemption
		case unix.SIGCHLD:
			if ws, ended := reap(child.Pid); ended {
				return exitStatus(ws), child.Release()
			}
		default:
			_ = child.Signal(s) // it may have ended a moment ago
		}
	}
	panic("unreachable: signals is never closed")
}

// reap waits for all children that have ended: one SIGCHLD may stand for many.
func reap(main int) (status unix.WaitStatus, ended bool) {
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
		if err != nil || pid == 0 {
			return status, ended
		}
		if pid == main {
			status, ended = ws, true
		}
	}
}

func exitStatus(ws unix.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}
