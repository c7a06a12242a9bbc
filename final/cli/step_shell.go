package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	namespaces "cutaway/02-namespaces"
	"cutaway/final/explain"
	"cutaway/final/observe"

	"golang.org/x/sys/unix"
)

// enginePID is the process at the other end of the socket, if we may look at it: what is in its /proc, and what a
// shell enters, is for root on the same machine.
func (c *client) enginePID() (int, error) {
	if network, _, _ := c.address(); network != "unix" {
		return 0, fmt.Errorf("for that the client has to run on the engine's machine and reach it by its unix:// socket, not by %s", c.engine())
	}
	if os.Geteuid() != 0 {
		return 0, errors.New("for that the client has to run as root")
	}
	conn, err := c.dial(context.Background())
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred // of who called listen(2): unix(7), SO_PEERCRED
	cerr := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err := errors.Join(cerr, err); err != nil {
		return 0, err
	}
	ours, _ := namespaces.ID(os.Getpid(), namespaces.PID) // 0 differs from every namespace
	theirs, err := namespaces.ID(int(cred.Pid), namespaces.PID)
	if err != nil || ours != theirs {
		return 0, errors.New("for that the client has to be in the engine's PID namespace")
	}
	return int(cred.Pid), nil
}

// shell runs a shell at this point: in the namespaces that the child has at the moment, else in the container's
// network namespace, else on the host. It is our own binary, so the image needs none. It has all of root's powers.
func (s *stepper) shell(ctx context.Context) {
	if s.blind != "" {
		s.printFolded("", "There is no shell: "+s.blind)
		return
	}
	where, doors := s.doors()
	s.print(s.paint(explain.Dim, "    a shell "+where+"; exit comes back here"))
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = []string{"sh"}
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), s.environment()...)
	cmd.Env = append(cmd.Env, fmt.Sprintf("CUTAWAY_PROMPT=[%d %s] ", s.now.Next+1, where))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.in, s.out, s.app.err
	if s.now.PID == 0 { // else it ends with the child, its namespace's PID 1
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL} // of our thread, which waits for it
	}
	err := namespaces.OnThread(func() error {
		for _, door := range doors {
			if err := door.Do(); err != nil {
				return err
			}
		}
		return cmd.Run()
	})
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || !exit.Exited()) {
		s.print("the shell: " + err.Error()) // its last command's status is nobody's concern
	}
	select {
	case <-s.interrupts: // Ctrl-C was for what ran in the shell
	default:
	}
	s.picture = observe.Look(s.subject) // what was done there, no step has done
}

// doors are the namespaces to enter, and where that is. The mount namespace is the last, as the paths are ours.
func (s *stepper) doors() (where string, list []namespaces.Join) {
	engine := fmt.Sprintf("/proc/%d", s.subject.Engine)
	where, from := "on the host", engine
	netns := engine + "/root" + s.subject.Netns
	switch {
	case s.now.PID != 0:
		where, from = "inside", observe.Thread(s.now.PID)
	case s.subject.Netns != "" && isNamespace(netns):
		where = "in its network"
	}
	for _, kind := range []namespaces.Kind{
		namespaces.UTS, namespaces.IPC, namespaces.Net, namespaces.Cgroup, namespaces.PID, namespaces.Mnt,
	} {
		path := from + "/ns/" + kind.ProcName()
		if kind == namespaces.Net && where == "in its network" {
			path = netns
		}
		list = append(list, namespaces.Join{Kind: kind, Path: path})
	}
	return where, list
}

// isNamespace tells whether a network namespace is mounted on a file (nsfs).
func isNamespace(file string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(file, &fs) == nil && fs.Type == unix.NSFS_MAGIC
}
