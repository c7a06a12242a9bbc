package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	namespaces "cutaway/02-namespaces"
	cgroups "cutaway/03-cgroups"
	"cutaway/final/plan"
	"cutaway/final/shim"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Child is the hidden first life of every container's process: it performs the
// steps that it is sent and thereby becomes the program. It returns an exit
// code only if that fails; the engine has been told why.
func Child() int {
	orders := os.NewFile(shim.OrdersFD, "orders")
	if orders == nil {
		fmt.Fprintln(os.Stderr, "init is started by the engine, not by hand")
		return 1
	}
	if nothing, err := waiting(orders); nothing && err == nil {
		plan.Warm()
	}
	if err := plan.Perform(orders); err != nil {
		return 1
	}
	return 0
}

// waiting tells whether there is nothing to read yet.
func waiting(f *os.File) (bool, error) {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}, 0)
	return n == 0, err
}

// Exec is what to do for one more process in a running container.
type Exec struct {
	Process *specs.Process
	PID     int          // the container's first process
	Cgroup  cgroups.Join // its cgroup
}

// CompileExec lists the steps inside for one more process. It is born in the
// PID namespace already, and joins the others: its mount namespace last, since
// the paths of the others are the host's.
func CompileExec(e Exec) []plan.Step {
	steps := []plan.Step{entering(e.Cgroup)}
	for _, kind := range []namespaces.Kind{namespaces.Cgroup, namespaces.IPC, namespaces.UTS, namespaces.Net, namespaces.Mnt} {
		steps = append(steps, namespaces.Join{Kind: kind, Path: NamespaceOf(e.PID, kind)})
	}
	if e.Process.Terminal {
		steps = append(steps, terminal(e.Process))
	}
	steps = append(steps, plan.Workdir{Path: e.Process.Cwd})
	return append(steps, privileges(e.Process)...)
}

// Room is an error (EAGAIN) if a cgroup has as many processes and threads as
// its pids.max allows. The kernel keeps those that are in it from making more
// (fork(2)), but lets anybody in who comes from outside.
func Room(group cgroups.Join) error {
	for _, dir := range group.Paths {
		limit, err := os.ReadFile(filepath.Join(dir, "pids.max"))
		if err != nil {
			continue // a v1 hierarchy of another controller
		}
		now, err := os.ReadFile(filepath.Join(dir, "pids.current"))
		if err != nil {
			return err
		}
		most, err := strconv.Atoi(strings.TrimSpace(string(limit)))
		if err != nil {
			continue // "max"
		}
		if n, err := strconv.Atoi(strings.TrimSpace(string(now))); err != nil || n >= most {
			return fmt.Errorf("it has %d of %d processes and threads (--pids-limit): %w", n, most, errors.Join(err, unix.EAGAIN))
		}
	}
	return nil
}

// NamespaceOf is the file that stands for a process's namespace.
func NamespaceOf(pid int, kind namespaces.Kind) string {
	return "/proc/" + strconv.Itoa(pid) + "/ns/" + kind.ProcName()
}
