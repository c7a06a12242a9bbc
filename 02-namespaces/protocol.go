package namespaces

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// The protocol of a parent and a child that has something to do between its
// birth in new namespaces and its program:
//
//	parent: Start                         child: Become
//
//	socketpair
//	clone with flags ──────────────────►  born; executes this program again,
//	                                      because a Go process cannot fork:
//	                                      only one of its threads would go on
//	write uid_map, gid_map                read
//	"g" ───────────────────────────────►  be root, if there is a user namespace
//	                                      Do each step
//	read                                  execve: the socket is close-on-exec
//	  EOF: the program runs  ◄──────────  ├─ done: the kernel closes the socket
//	  Failure: it does not   ◄──────────  └─ failed: tells which step, and why
//
// Parent died → the child reads EOF and ends. Child died → the parent reads
// EOF, as after a success, and learns the truth from Wait.
const (
	socket  = 3 // the child's end of the socket pair: the first of ExtraFiles
	proceed = 'g'
)

// Failure is an error that came from the child.
type Failure struct {
	Step  string        // the shell command of the step, or of the program
	Call  string        // the system call, "" if it was none that failed
	Path  string        // its object, if it has one
	Errno syscall.Errno // 0 if it was no system call that failed
	Text  string        // the whole message
}

// Error is the message as the child had it.
func (f *Failure) Error() string { return f.Text }

// Unwrap makes errors.Is(err, unix.EPERM) work across the two processes.
func (f *Failure) Unwrap() error {
	if f.Errno == 0 {
		return nil
	}
	return f.Errno
}

// Start starts cmd, which must come to call [Become], in the namespaces of c,
// and returns when it has become its program; or a [*Failure], and then it has
// ended. Descriptor 3 of the child is the protocol's; cmd's ExtraFiles follow.
// Start replaces cmd.SysProcAttr.
func Start(cmd *exec.Cmd, c Clone) error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "child"), os.NewFile(uintptr(fds[1]), "parent")
	defer ours.Close()
	cmd.ExtraFiles = append([]*os.File{theirs}, cmd.ExtraFiles...)
	cmd.SysProcAttr = c.Attr()
	isUser := slices.Contains(c.New, User)
	if isUser {
		// We write the maps after it has executed this program as nobody. An
		// execve takes a nobody's capabilities, but for the ambient ones.
		cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = nil, nil
		cmd.SysProcAttr.Credential = nil
		cmd.SysProcAttr.AmbientCaps = allCapabilities()
	}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return err
	}
	if isUser {
		err = Maps{PID: cmd.Process.Pid, UIDMap: c.UIDMap, GIDMap: c.GIDMap}.Do()
	}
	if err == nil {
		err = converse(ours)
	}
	if err != nil {
		_ = cmd.Process.Kill() // if it has not ended itself
		_ = cmd.Wait()
	}
	return err
}

// converse lets the child go on, and waits for the end of its part.
func converse(child *os.File) error {
	if _, err := child.Write([]byte{proceed}); err != nil {
		return err
	}
	f := new(Failure)
	if err := json.NewDecoder(child).Decode(f); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return err
	}
	return f
}

// Become is the child's side of [Start]: it does the steps, and becomes the
// program argv[0]. It returns only if that fails, after telling the parent.
func Become(steps []Step, argv []string) error {
	runtime.LockOSThread() // the thread whose namespaces the steps change is the one that execs
	unix.CloseOnExec(socket)
	parent := os.NewFile(socket, "parent")
	defer parent.Close()
	if _, err := io.ReadFull(parent, make([]byte, 1)); err != nil {
		return fmt.Errorf("wait for the parent: %w", err)
	}
	name, err := perform(steps, argv)
	return errors.Join(err, json.NewEncoder(parent).Encode(failure(name, err)))
}

// perform returns the step that failed, and why.
func perform(steps []Step, argv []string) (string, error) {
	if os.Geteuid() != 0 {
		if err := beRoot(); err != nil {
			return "setpriv --reuid 0 --regid 0", err
		}
	}
	for _, s := range steps {
		if err := s.Do(); err != nil {
			return s.String(), err
		}
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return argv[0], err
	}
	return argv[0], pathError("execve", path, unix.Exec(path, argv, os.Environ()))
}

// allCapabilities are those that this kernel knows.
func allCapabilities() (caps []uintptr) {
	for c := uintptr(0); unix.Prctl(unix.PR_CAPBSET_READ, c, 0, 0, 0) == nil; c++ {
		caps = append(caps, c)
	}
	return caps
}

// beRoot takes the number 0 of a new user namespace, for all threads.
func beRoot() error {
	if err := syscall.Setresgid(0, 0, 0); err != nil {
		return os.NewSyscallError("setresgid", err)
	}
	return os.NewSyscallError("setresuid", syscall.Setresuid(0, 0, 0))
}

// failure takes an error apart, for the way to the parent.
func failure(step string, err error) *Failure {
	f := &Failure{Step: step, Text: err.Error()}
	var path *os.PathError
	var call *os.SyscallError
	switch {
	case errors.As(err, &path):
		f.Call, f.Path = path.Op, path.Path
	case errors.As(err, &call):
		f.Call = call.Syscall
	}
	errors.As(err, &f.Errno)
	return f
}
