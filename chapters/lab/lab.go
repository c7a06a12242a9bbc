package lab

import (
	"os"
	"strings"
	"testing"
)

// Mode says how far from the host the tests of a package are kept.
type Mode int

const (
	// Plain runs the tests where they were started and only looks for leaks.
	Plain Mode = iota
	// Sandbox runs the tests in new user, mount, PID, network, UTS, IPC and cgroup namespaces. They are root
	// inside, with or without being root outside. Started by root, every user ID of the host is mapped to itself;
	// started by anybody else, only the caller's, to 0.
	Sandbox
	// Root runs the tests in new mount, PID, network, UTS and IPC namespaces, but as the host's real root: for
	// mknod(2), cgroups and many user IDs. Cgroup mounts stay visible. Without root the whole package is skipped.
	Root
	// RootOrSandbox is Root for root and Sandbox for everybody else, where the few tests that call NeedRoot are skipped.
	RootOrSandbox
)

// TestingM is what lab needs of a *testing.M; the same as testscript's type of this name.
type TestingM interface {
	Run() int
}

const (
	stageVar = "CUTAWAY_LAB"       // which stage this process is; see doc.go
	tokenVar = "CUTAWAY_LAB_TOKEN" // part of the names of all cgroups of this run
	tierVar  = "CUTAWAY_TIER"      // what the caller promised: "root" or nothing

	stageFirst  = "first"
	stageInside = "inside:" // followed by the path of the test binary
)

// Main runs the tests of a package in the given mode and exits. It is the whole body of a TestMain.
func Main(m *testing.M, mode Mode) {
	os.Exit(Wrap(m, mode).Run())
}

// Wrap returns m with the mode wrapped around its Run, to be combined with others that want to run m:
//
//	testscript.Main(lab.Wrap(m, lab.Root), commands)
//
// In the process that is PID 1 of the new namespaces Wrap does not return.
func Wrap(m TestingM, mode Mode) TestingM {
	if os.Getenv(stageVar) == stageFirst {
		os.Exit(first())
	}
	if mode == RootOrSandbox {
		if mode = Sandbox; hostRoot() {
			mode = Root
		}
	}
	return wrapped{m, mode}
}

// wrapped is a TestingM in a mode.
type wrapped struct {
	m    TestingM
	mode Mode
}

// Run runs the tests: here, when this is the place for them, else in a copy of this process that is.
func (w wrapped) Run() int {
	switch {
	case isInside():
		if os.Getppid() != 1 { // a helper that a test started from its own binary
			return w.m.Run()
		}
		return watched(w)
	case w.mode == Plain:
		if os.Getenv(tokenVar) == "" {
			must(os.Setenv(tokenVar, newToken()))
		}
		return watched(w)
	default:
		return outside(w.mode)
	}
}

// isInside reports whether this process was started by this very test binary's first stage. A different
// test binary that inherits the environment, as in a test that runs "go test", makes its own sandbox.
func isInside() bool {
	exe, ok := strings.CutPrefix(os.Getenv(stageVar), stageInside)
	return ok && exe == self()
}

// self is the path of the running test binary.
func self() string {
	exe, err := os.Executable()
	must(err)
	return exe
}

// must ends a test run whose surroundings are broken.
func must(err error) {
	if err != nil {
		panic("lab: " + err.Error())
	}
}
