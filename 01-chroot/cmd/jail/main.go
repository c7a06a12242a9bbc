// Jail makes a root directory, moves into it by chroot(2) or by pivot_root(2),
// and shows which break-outs lead out again.
//
//	jail make DIR PROGRAM…                       copy programs and their libraries into DIR
//	jail chroot DIR [COMMAND…]                   run a command with its root at DIR
//	jail pivot DIR [COMMAND…]                    the same, and the old tree is gone
//	jail escape NAME chroot|pivot DIR [COMMAND…] move in, break out, run a command
//	jail compare                                 try every escape on both
//
// It works in mount and PID namespaces of its own, and changes nothing on the
// host but DIR. Whoever is not root gets a user namespace too.
//
//	jail          outside; waits
//	└─ jail       PID 1: the warden, whose root is the host's       warden.go
//	   └─ jail    the prisoner: moves in, breaks out, execve        prison.go
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

const usage = `usage:
  jail make DIR PROGRAM…
  jail chroot|pivot DIR [COMMAND…]
  jail escape dotdot|second-chroot|descriptor|proc chroot|pivot DIR [COMMAND…]
  jail compare`

func main() {
	err := run(os.Args[1:])
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) { // the command has said what it had to
		if ws := exit.Sys().(syscall.WaitStatus); ws.Signaled() {
			os.Exit(128 + int(ws.Signal())) // as a shell has it
		}
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "jail:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == insideArg:
		return inside(args[1])
	case len(args) > 2 && args[0] == "make":
		return makeRoot(args[1], args[2:])
	case len(args) == 0:
		return errors.New(usage)
	case args[0] != wardenArg:
		return warden(args)
	}
	if err := takeOffice(); err != nil {
		return err
	}
	return command(args[1:])
}

// command is what the warden does.
func command(args []string) error {
	switch {
	case len(args) > 1 && (args[0] == "chroot" || args[0] == "pivot"):
		return start(prison{By: args[0], Root: args[1], Command: orShell(args[2:])})
	case len(args) > 3 && args[0] == "escape":
		return start(prison{By: args[2], Root: args[3], Escape: args[1], Command: orShell(args[4:])})
	case len(args) == 1 && args[0] == "compare":
		return compare(os.Stdout)
	}
	return errors.New(usage)
}

func orShell(command []string) []string {
	if len(command) == 0 {
		return []string{"sh"}
	}
	return command
}
