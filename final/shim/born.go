package shim

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	namespaces "cutaway/02-namespaces"

	"golang.org/x/sys/unix"
)

// born is a child that waits for its orders, with our ends of its streams.
type born struct {
	handle         *os.Process
	stdin          *os.File // nil: it reads /dev/null
	stdout, stderr *os.File // or
	terminal       *os.File // the socket on which it will send one

	reaped chan struct{}    // closed when wait4 has returned
	status *os.ProcessState // then; nil if it cannot be known
}

// bear clones a child with its streams connected. Orders is closed.
func bear(what Spawn, orders *os.File) (*born, error) {
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return nil, errors.Join(err, orders.Close())
	}
	b := &born{}
	files := []*os.File{null, null, null, orders} // the child's ends
	err = b.streams(what.Stdio, &files)
	if err == nil {
		b.handle, err = startIn(what, files)
	}
	for _, f := range append(files, null) {
		_ = f.Close() // the child has its own: with ours open nobody would see the end
	}
	if err != nil {
		b.close()
		return nil, fmt.Errorf("clone: %w", err)
	}
	b.reaped = make(chan struct{})
	go b.reap() // from its birth on: one that gets no orders ends, too, and may be looked for
	return b, nil
}

func (b *born) reap() {
	b.status, _ = b.handle.Wait()
	close(b.reaped)
}

// streams makes the streams, and puts the child's ends among its files.
func (b *born) streams(what Stdio, files *[]*os.File) (err error) {
	child := *files
	if what.TTY {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socketpair", err)
		}
		b.terminal = os.NewFile(uintptr(pair[0]), "terminal")
		*files = append(child, os.NewFile(uintptr(pair[1]), "terminal"))
		return nil
	}
	if what.Stdin {
		if child[0], b.stdin, err = os.Pipe(); err != nil {
			return err
		}
	}
	if b.stdout, child[1], err = os.Pipe(); err != nil {
		return err
	}
	b.stderr, child[2], err = os.Pipe()
	return err
}

// close closes our ends.
func (b *born) close() {
	for _, f := range []*os.File{b.stdin, b.stdout, b.stderr, b.terminal} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// dead tells whether the child has ended already, reaped or about to be: waitid(2)
// looks and does not reap.
func (b *born) dead() bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, b.handle.Pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err != nil || info.Signo != 0
}

// drop ends a child that will get no orders.
func (b *born) drop() {
	b.close()
	_ = b.handle.Kill()
	<-b.reaped
}

// startIn starts the child, in another PID namespace if so asked. setns(2) with
// a PID namespace changes where the thread's next children are born, for good:
// so the thread is given up with its goroutine.
func startIn(what Spawn, files []*os.File) (*os.Process, error) {
	// One after the other is how it works, and each thread more has to be ended by its execve.
	attr := &os.ProcAttr{Dir: "/", Env: []string{"GOMAXPROCS=1"}, Files: files, Sys: what.Clone.Attr()}
	if attr.Sys == nil {
		attr.Sys = &syscall.SysProcAttr{}
	}
	attr.Sys.Setsid = true
	type result struct {
		process *os.Process
		err     error
	}
	done := make(chan result)
	go func() {
		var r result
		defer func() { done <- r }()
		if what.PIDNamespace != "" {
			runtime.LockOSThread() // and never unlocked
			if r.err = (namespaces.Join{Kind: namespaces.PID, Path: what.PIDNamespace}).Do(); r.err != nil {
				return
			}
		}
		r.process, r.err = os.StartProcess("/proc/self/exe", []string{"cutaway", "init"}, attr)
	}()
	r := <-done
	return r.process, r.err
}
