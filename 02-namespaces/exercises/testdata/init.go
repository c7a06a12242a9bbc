package namespaces

import (
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// InitDeaf starts the command and waits for everybody, and hears nothing.
//
// Caught by: SIGTERM
func InitDeaf(argv []string) (int, error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return 0, err
	}
	child, err := os.StartProcess(path, argv, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		return 0, err
	}
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, 0, nil)
		if err == nil && pid == child.Pid {
			return exitStatus(ws), nil
		}
	}
}

// InitRun is what one writes first.
//
// Caught by: end by a signal
func InitRun(argv []string) (int, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), nil
}

// InitSucceeded loses the status.
//
// Caught by: exit status
func InitSucceeded(argv []string) (int, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return 0, cmd.Start()
}

// reapTheChild knows of one child only.
//
// Caught by: orphans
func reapTheChild(main int) (status unix.WaitStatus, ended bool) {
	pid, err := unix.Wait4(main, &status, unix.WNOHANG, nil)
	return status, err == nil && pid == main
}

// exitStatusRaw hands on what wait4(2) has written.
//
// Caught by: exit status
func exitStatusRaw(ws unix.WaitStatus) int { return int(ws) }
