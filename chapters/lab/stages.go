package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const rootFlags = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC

// forwarded are the signals that "go test" and a terminal send to the process they know, the outermost one.
var forwarded = []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGQUIT}

// outside starts the first stage in new namespaces and returns the exit status of the tests.
func outside(mode Mode) int {
	if mode == Root && !hostRoot() {
		return skipPackage("needs root: run make test, or go test with sudo")
	}
	runtime.LockOSThread() // Pdeathsig is about the thread that started the child, prctl(2)
	token := newToken()
	cmd := exec.Command(self(), os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), stageVar+"="+stageFirst, tokenVar+"="+token)
	cmd.SysProcAttr = attr(mode)
	// What is caught when a child starts is at its default there. A shell starts what runs in the background with SIGINT ignored:
	// so would be all that a test starts and interrupts.
	signals := catch()
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		if mode == Sandbox && os.Geteuid() != 0 {
			return skipPackage("user namespaces are not allowed here: " + err.Error())
		}
		fmt.Fprintf(os.Stderr, "lab: start tests in new namespaces: %v\n", err)
		return 1
	}
	go forward(signals, func(s os.Signal) { _ = cmd.Process.Signal(s) })
	err := cmd.Wait()
	sweepCgroups(token)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exit.ExitCode()
	} else if err != nil {
		fmt.Fprintf(os.Stderr, "lab: tests in new namespaces: %v\n", err)
		return 1
	}
	return 0
}

// skipPackage tells why no test of this package can run and returns the exit status that this deserves.
func skipPackage(why string) int {
	if promisedRoot() {
		fmt.Fprintf(os.Stderr, "--- FAIL: %s was promised (%s=root), but this package %s\n", "root", tierVar, why)
		return 1
	}
	fmt.Printf("--- SKIP: all tests of this package (%s)\n", why)
	return 0
}

// attr asks clone(2) for the namespaces of a mode.
func attr(mode Mode) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Cloneflags: rootFlags, Pdeathsig: unix.SIGKILL}
	if mode == Root {
		return a
	}
	a.Cloneflags |= unix.CLONE_NEWUSER | unix.CLONE_NEWCGROUP
	if os.Geteuid() == 0 {
		a.UidMappings, a.GidMappings = identity("/proc/self/uid_map"), identity("/proc/self/gid_map")
		a.GidMappingsEnableSetgroups = setgroupsAllowed()
		return a
	}
	a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
	a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	return a
}

// setgroupsAllowed reports whether a user namespace made from here may allow setgroups(2): not once it was denied in
// one that this one is below, user_namespaces(7).
func setgroupsAllowed() bool {
	text, err := os.ReadFile("/proc/self/setgroups")
	return err == nil && strings.TrimSpace(string(text)) == "allow"
}

// identity maps every ID of this user namespace to itself. A line of the file reads
//
//	0          0 4294967295        first ID here, first ID in the parent namespace, how many
func identity(file string) []syscall.SysProcIDMap {
	text, err := os.ReadFile(file)
	must(err)
	var maps []syscall.SysProcIDMap
	for line := range strings.Lines(string(text)) {
		var here, there, count int
		if _, err := fmt.Sscan(line, &here, &there, &count); err == nil {
			maps = append(maps, syscall.SysProcIDMap{ContainerID: here, HostID: here, Size: count})
		}
	}
	return maps
}

// first is the life of PID 1: it prepares the namespaces, starts the tests, and reaps until they end.
func first() int {
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
	must(os.Setenv(stageVar, stageInside+self()))
	child, err := os.StartProcess(self(), os.Args, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		fmt.Fprintf(os.Stderr, "lab: start tests: %v\n", err)
		return 1
	}
	pid := child.Pid
	go forward(catch(), func(s os.Signal) { _ = unix.Kill(pid, s.(unix.Signal)) })
	for {
		var status unix.WaitStatus
		switch dead, err := unix.Wait4(-1, &status, 0, nil); {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			fmt.Fprintf(os.Stderr, "lab: wait for tests: %v\n", err)
			return 1
		case dead != pid: // an orphan: PID 1 inherits it
		case status.Signaled():
			fmt.Fprintf(os.Stderr, "lab: tests ended by signal %v\n", status.Signal())
			return 128 + int(status.Signal())
		default:
			return status.ExitStatus()
		}
	}
}

// prepare makes the new namespaces fit for tests: nothing mounted here shows outside, /proc shows this PID
// namespace, and 127.0.0.1 answers.
func prepare() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make / private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find link lo: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	return nil
}

// catch returns the signals that are meant for the tests.
func catch() chan os.Signal {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, forwarded...)
	return signals
}

// forward calls send with every signal.
func forward(signals <-chan os.Signal, send func(os.Signal)) {
	for s := range signals {
		send(s)
	}
}
