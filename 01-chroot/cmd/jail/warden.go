package main

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// wardenArg is the hidden argument that makes this program the warden.
const wardenArg = "warden"

// warden runs this program again as PID 1 of a PID namespace: a process that
// is outside every jail and that a prisoner may trace. (The host's PID 1 is
// as good a door for root, but not for anybody else.)
func warden(args []string) error {
	// ^C is for the command in the jail; this process waits for its end.
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT, unix.SIGQUIT)
	cmd := exec.Command("/proc/self/exe", append([]string{wardenArg}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		Pdeathsig:  unix.SIGKILL,
	}
	if uid, gid := os.Geteuid(), os.Getegid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: gid, Size: 1}}
	}
	return cmd.Run()
}

// takeOffice is what PID 1 does first: its mounts are its own, and its /proc
// shows its own PID namespace.
func takeOffice() error {
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT, unix.SIGQUIT)
	// Without this, all of the mounts to come would appear on the host too.
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return &os.PathError{Op: "make private", Path: "/", Err: err}
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return &os.PathError{Op: "mount", Path: "/proc", Err: err}
	}
	return nil
}
