package namespaces

import (
	"fmt"
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
// other threads to help it; but it need only make system calls (package
// syscall's own forkExec is built the same way):
//
//	this thread     child                         program
//	fork ─────────► setns(pidfd, all at once)
//	  waits         fork, CLONE_PARENT ─────────► be root, in a user namespace
//	  (CLONE_VFORK)   waits                       execve
//	read the page ◄ exit ◄────────────────────────  or exit
//
// The second fork is for the PID namespace, which only a new process is in;
// CLONE_PARENT makes the program our child, so that we can wait for it. What
// happened is left in a page of memory that all three share.
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
		return nil, e.failed("pidfd_open", err)
	}
	defer unix.Close(target)
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, e.failed("mmap", err)
	}
	defer func() { _ = unix.Munmap(page) }()
	entry := &entry{target: uintptr(target), result: (*result)(unsafe.Pointer(&page[0]))}
	if err := entry.prepare(e); err != nil {
		return nil, err
	}
	child, err := entry.fork()
	if err != nil {
		return nil, e.failed("clone", err)
	}
	if _, err := unix.Wait4(child, nil, 0, nil); err != nil { // it has only exited
		return nil, e.failed("wait4", err)
	}
	r := *entry.result
	if r.errno != 0 {
		if r.pid != 0 {
			_, _ = unix.Wait4(int(r.pid), nil, 0, nil)
		}
		return nil, e.failed([]string{"setns", "clone", "setresuid", "execve " + e.Path}[r.stage], r.errno)
	}
	return os.FindProcess(int(r.pid))
}

func (e Enter) failed(call string, err error) error {
	return fmt.Errorf("enter process %d: %w", e.PID, os.NewSyscallError(call, err))
}

// entry is all that the children need, where they need not look for it.
type entry struct {
	target    uintptr // a pidfd
	flags     uintptr
	path      *byte
	argv, env **byte
	signals   uint64 // the mask before the fork
	result    *result
}

// result is in memory that is shared with the children.
type result struct {
	pid   uintptr // of the program
	errno syscall.Errno
	stage int
}

const (
	atSetns = iota
	atFork
	atRoot
	atExec
)

func (a *entry) prepare(e Enter) (err error) {
	if a.path, err = unix.BytePtrFromString(e.Path); err != nil {
		return err
	}
	argv, err := syscall.SlicePtrFromStrings(e.Argv)
	if err != nil {
		return err
	}
	env, err := syscall.SlicePtrFromStrings(e.Env)
	if err != nil {
		return err
	}
	a.argv, a.env = &argv[0], &env[0]
	for _, k := range e.Kinds {
		ours, err := ID(0, k)
		if err != nil {
			return err
		}
		theirs, err := ID(e.PID, k)
		if err != nil {
			return err
		}
		if ours != theirs { // to enter one's own user namespace is EINVAL
			a.flags |= k.Flag()
		}
	}
	return nil
}

// fork forks with all signals blocked: a handler that ran in the child would
// be the Go runtime's.
func (a *entry) fork() (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	all := ^uint64(0)
	setMask(&all, &a.signals)
	pid, errno := a.child()
	setMask(&a.signals, nil)
	if errno != 0 {
		return 0, errno
	}
	return int(pid), nil
}

//go:norace
//go:nosplit
func setMask(mask, old *uint64) {
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(mask)),
		uintptr(unsafe.Pointer(old)), unsafe.Sizeof(*mask), 0, 0)
}

// child returns only in the parent. In the children: no allocation, no lock,
// no call but system calls, and no stack to grow (nosplit).
//
//go:noinline
//go:norace
//go:nosplit
func (a *entry) child() (pid uintptr, errno syscall.Errno) {
	const fork = unix.CLONE_VFORK | uintptr(unix.SIGCHLD)
	pid, _, errno = syscall.RawSyscall6(syscall.SYS_CLONE, fork, 0, 0, 0, 0, 0)
	if pid != 0 || errno != 0 {
		return pid, errno
	}
	_, _, errno = syscall.RawSyscall(unix.SYS_SETNS, a.target, a.flags, 0)
	if errno == 0 {
		a.result.stage = atFork
		pid, _, errno = syscall.RawSyscall6(syscall.SYS_CLONE, fork|unix.CLONE_PARENT, 0, 0, 0, 0, 0)
	}
	if errno == 0 && pid == 0 {
		errno = a.program()
	}
	if pid != 0 {
		a.result.pid = pid
	}
	if errno != 0 {
		a.result.errno = errno
	}
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
	}
}

// program is the second child's; it returns only an errno.
//
//go:norace
//go:nosplit
func (a *entry) program() (errno syscall.Errno) {
	if a.flags&unix.CLONE_NEWUSER != 0 {
		a.result.stage = atRoot
		syscall.RawSyscall(syscall.SYS_SETGROUPS, 0, 0, 0) // EPERM where the namespace denies it
		_, _, errno = syscall.RawSyscall(syscall.SYS_SETRESGID, 0, 0, 0)
		if errno == 0 {
			_, _, errno = syscall.RawSyscall(syscall.SYS_SETRESUID, 0, 0, 0)
		}
		if errno != 0 {
			return errno
		}
	}
	a.result.stage = atExec
	setMask(&a.signals, nil)
	_, _, errno = syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(a.path)),
		uintptr(unsafe.Pointer(a.argv)), uintptr(unsafe.Pointer(a.env)))
	return errno
}
