// Ns shows what each kind of namespace does: the same facts, read outside and
// inside.
//
//	ns user|mount|uts|ipc|pid|cgroup|network|time   one kind of namespace
//	ns all [COMMAND…]                               a command in all of them
//	ns init COMMAND…                                a command below a PID 1 that knows its duties: ns all ns init sh
//	ns enter PID [COMMAND…]                         a command in the namespaces of another process
//	ns list [PID]                                   the namespaces of a process
//
// It needs no root: whoever is not root gets a user namespace with the others.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	namespaces "cutaway/02-namespaces"
)

var errUsage = errors.New(`usage:
  ns user|mount|uts|ipc|pid|cgroup|network|time
  ns all [COMMAND…]
  ns init COMMAND…
  ns enter PID [COMMAND…]
  ns list [PID]`)

// The hidden arguments of this program when it runs itself.
const (
	becomeArg = "become" // in new namespaces: do the steps
	factsArg  = "facts"  // then: tell what is seen here
)

func main() {
	err := run(os.Args[1:])
	if err != nil && len(os.Args) > 1 && os.Args[1] == becomeArg {
		os.Exit(1) // the parent knows, and tells
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		if ws := exit.Sys().(syscall.WaitStatus); ws.Signaled() {
			os.Exit(128 + int(ws.Signal())) // as a shell has it
		}
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "ns:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	name, args := args[0], args[1:]
	switch {
	case name == becomeArg:
		return become(args)
	case name == factsArg:
		return tellFacts(args)
	case name == "all":
		return all(orShell(args))
	case name == "init" && len(args) > 0:
		status, err := namespaces.Init(args)
		if err == nil {
			os.Exit(status)
		}
		return err
	case name == "enter" && len(args) > 0:
		return enter(args[0], orShell(args[1:]))
	case name == "list":
		return list(args)
	}
	for _, d := range demos {
		if string(d.kind) == name {
			return d.run(args)
		}
	}
	return errUsage
}

func orShell(command []string) []string {
	if len(command) == 0 {
		return []string{"sh"}
	}
	return command
}

// list prints the namespaces of a process, like lsns(8).
func list(args []string) error {
	pid := 0
	if len(args) > 0 {
		var err error
		if pid, err = strconv.Atoi(args[0]); err != nil {
			return errUsage
		}
	}
	for _, k := range namespaces.Kinds {
		id, err := namespaces.ID(pid, k)
		if err != nil {
			return err
		}
		fmt.Printf("%-8s %s:[%d]\n", k, k.ProcName(), id)
	}
	return nil
}

// enter runs a command in all namespaces of a process.
func enter(pid string, command []string) error {
	n, err := strconv.Atoi(pid)
	if err != nil {
		return errUsage
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	p, err := namespaces.Enter{PID: n, Kinds: namespaces.Kinds, Path: path, Argv: command, Env: os.Environ()}.Start()
	if err != nil {
		return err
	}
	return wait(p)
}

func wait(p *os.Process) error {
	state, err := p.Wait()
	if err == nil && !state.Success() {
		err = &exec.ExitError{ProcessState: state}
	}
	return err
}
