package main

import (
	"os"
	"os/exec"
	"os/signal"

	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
)

// all runs a command in new namespaces of all kinds but time (Docker leaves
// the clocks alone as well). It has the host's files: another root is the
// first chapter's, and putting them together is the engine's.
func all(command []string) error {
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT, unix.SIGQUIT) // ^C is for the command
	child := exec.Command("/proc/self/exe", append([]string{becomeArg, "all"}, command...)...)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := namespaces.Start(child, unprivileged([]namespaces.Kind{
		namespaces.Mnt, namespaces.UTS, namespaces.IPC, namespaces.PID, namespaces.Net, namespaces.Cgroup,
	}))
	if err != nil {
		return err
	}
	return child.Wait()
}

func allSteps() []namespaces.Step {
	return []namespaces.Step{
		namespaces.Propagation{Target: "/", Mode: "rprivate"}, // before the first mount
		proc,
		mount{source: "/proc/sys", target: "/proc/sys", flags: unix.MS_BIND}, // most of it is in no namespace:
		mount{target: "/proc/sys", flags: unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY | proc.flags},
		namespaces.Hostname{Name: "box"},
		namespaces.Loopback{},
	}
}
