package namespaces

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Enter runs a program in the namespaces of another process, also in those
// that a Go program cannot [Join]: setns(2) refuses a user or time namespace
// to a process of several threads. It is nsenter(1) as a library. The program
// has the caller's standard input, output and error.
//
// # How it works
//
// fork(2) copies one thread, so the child is a process of a single one. It
// may not run Go code that allocates, locks or grows its stack, as it has no
// other threads to help it; but setns and execve are system calls, and that
// is all it makes (as package syscall's own forkExec does):
//
//	this process      fork ──► child           fork, CLONE_PARENT ──► program
//	  pidfd_open               setns(pidfd, all kinds at once)         setuid 0, if user
//	  read the pipe ◄───────── its number, or an errno ◄────────────── execve, or an errno
//	  EOF: it runs             exit
//
// The second fork is for the PID namespace, which only a new process is in.
// CLONE_PARENT makes the program our child, so that we can wait for it.
type Enter struct {
	PID   int    // a process whose namespaces to enter
	Kinds []Kind // which of them; those that the caller shares with it are left out
	Path  string // the program, as it is named inside
	Argv  []string
	Env   []string
}

// Start starts the program. The caller must Wait for it. Errors are those of
// pidfd_open(2), setns(2) (since Linux 5.8 for a pidfd) and execve(2).
func (e Enter) Start() (*os.Process, error) {
	target, err := unix.PidfdOpen(e.PID, 0)
	if err != nil {
		return nil, fmt.Errorf("enter process %d: %w", e.PID, os.NewSyscallError("pidfd_open", err))
	}
	defer unix.Close(target)
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	args, err := e.prepare(target, w)
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	child, err := forkLocked(args)
	w.Close()
	if err != nil {
		return nil, os.NewSyscallError("clone", err)
	}
	if _, err := unix.Wait4(child, nil, 0, nil); err != nil { // it has only exited
		return nil, os.NewSyscallError("wait4", err)
	}
	return e.outcome(r)
}

// enterArgs is all that the children need, where they need not look for it.
type enterArgs struct {
	target, pipe, flags uintptr
	path                *byte
	argv, env           **byte
	mask                uint64 // of signals, before the fork
	say                 message
}

func (e Enter) prepare(target int, pipe *os.File) (*enterArgs, error) {
	path, err := unix.BytePtrFromString(e.Path)
	if err != nil {
		return nil, err
	}
	argv, err := syscall.SlicePtrFromStrings(e.Argv)
	if err != nil {
		return nil, err
	}
	env, err := syscall.SlicePtrFromStrings(e.Env)
	if err != nil {
		return nil, err
	}
	a := &enterArgs{target: uintptr(target), pipe: pipe.Fd(), path: path, argv: &argv[0], env: &env[0]}
	for _, k := range e.Kinds {
		ours, err := ID(0, k)
		if err != nil {
			return nil, err
		}
		theirs, err := ID(e.PID, k)
		if err != nil {
			return nil, err
		}
		if ours != theirs { // one's own user namespace is EINVAL
			a.flags |= k.Flag()
		}
	}
	return a, nil
}

// message is what comes over the pipe: a process number, or a stage and its
// errno. The pipe is close-on-exec.
type message struct{ What, Value uint32 }

const (
	isPID = iota
	atSetns
	atFork
	atRoot
	atExec
)

// outcome rebuilds the error of the children, or finds the program's process.
func (e Enter) outcome(r io.Reader) (*os.Process, error) {
	pid := 0
	for {
		var m message
		err := binary.Read(r, binary.NativeEndian, &m)
		if errors.Is(err, io.EOF) && pid != 0 {
			return os.FindProcess(pid)
		}
		if err != nil {
			return nil, fmt.Errorf("enter process %d: %w", e.PID, err)
		}
		if m.What == isPID {
			pid = int(m.Value)
			continue
		}
		if pid != 0 {
			_, _ = unix.Wait4(pid, nil, 0, nil) // it has exited after its message
		}
		call := []string{atSetns: "setns", atFork: "clone", atRoot: "setresuid", atExec: "execve"}[m.What]
		return nil, fmt.Errorf("enter process %d: %w", e.PID, pathError(call, e.Path, unix.Errno(m.Value)))
	}
}

// forkLocked forks with all signals blocked: a handler that ran in the child
// would be the Go runtime's.
func forkLocked(a *enterArgs) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	all := ^uint64(0)
	const size = 8 // of the kernel's sigset_t
	if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK,
		uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&a.mask)), size, 0, 0); errno != 0 {
		return 0, errno
	}
	pid, errno := enterChild(a)
	unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&a.mask)), 0, size, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(pid), nil
}

// enterChild returns only in the parent. In the children: no allocation, no
// lock, no call but system calls, and no stack to grow (nosplit).
//
//go:noinline
//go:norace
//go:nosplit
func enterChild(a *enterArgs) (pid uintptr, errno syscall.Errno) {
	pid, _, errno = syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if pid != 0 || errno != 0 {
		return pid, errno
	}
	a.say.What = atSetns
	_, _, errno = syscall.RawSyscall(unix.SYS_SETNS, a.target, a.flags, 0)
	if errno == 0 {
		a.say.What = atFork
		pid, _, errno = syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD)|unix.CLONE_PARENT, 0, 0, 0, 0, 0)
	}
	if errno == 0 && pid == 0 {
		errno = becomeProgram(a)
	}
	a.say.Value = uint32(errno)
	if errno == 0 {
		a.say = message{isPID, uint32(pid)}
	}
	syscall.RawSyscall(syscall.SYS_WRITE, a.pipe, uintptr(unsafe.Pointer(&a.say)), unsafe.Sizeof(a.say))
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
	}
}

// becomeProgram is the second child; it returns only an errno.
//
//go:norace
//go:nosplit
func becomeProgram(a *enterArgs) (errno syscall.Errno) {
	if a.flags&unix.CLONE_NEWUSER != 0 {
		a.say.What = atRoot
		syscall.RawSyscall(syscall.SYS_SETGROUPS, 0, 0, 0) // EPERM where the namespace denies it
		_, _, errno = syscall.RawSyscall(syscall.SYS_SETRESGID, 0, 0, 0)
		if errno == 0 {
			_, _, errno = syscall.RawSyscall(syscall.SYS_SETRESUID, 0, 0, 0)
		}
		if errno != 0 {
			return errno
		}
	}
	a.say.What = atExec
	const size = 8
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&a.mask)), 0, size, 0, 0)
	_, _, errno = syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(a.path)),
		uintptr(unsafe.Pointer(a.argv)), uintptr(unsafe.Pointer(a.env)))
	return errno
}
