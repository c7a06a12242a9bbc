package namespaces

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// DoAnyKind does not say what it expects.
//
// Caught by: told error
func (j Join) DoAnyKind() error {
	f, err := os.Open(j.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	if j.Kind == Mnt {
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return err
		}
	}
	return unix.Setns(int(f.Fd()), 0)
}

// DoSharing joins a mount namespace as if it were any other.
//
// Caught by: error
func (j Join) DoSharing() error {
	f, err := os.Open(j.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Setns(int(f.Fd()), int(j.Kind.Flag()))
}

// DoHoldingOn forgets to close the file.
//
// Caught by: descriptors
func (j Join) DoHoldingOn() error {
	fd, err := unix.Open(j.Path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Setns(fd, int(j.Kind.Flag()))
}

// DoUnshare makes a new one.
//
// Caught by: namespace
func (j Join) DoUnshare() error {
	if _, err := os.Stat(j.Path); err != nil {
		return err
	}
	return unix.Unshare(int(j.Kind.Flag()))
}

// OnThreadUnlocked is a goroutine, and no thread.
//
// Caught by: first thread
func OnThreadUnlocked(f func() error) error {
	done := make(chan error)
	go func() { done <- f() }()
	return <-done
}

// OnThreadGivenBack unlocks when it is done with it.
//
// Caught by: strangers
func OnThreadGivenBack(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if unix.Gettid() == unix.Getpid() {
			done <- OnThreadGivenBack(f)
			return
		}
		done <- f()
	}()
	return <-done
}

// OnThreadAny does not mind which thread it is.
//
// Caught by: first thread
func OnThreadAny(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

// OnThreadHere locks the caller's own thread.
//
// Caught by: first thread
func OnThreadHere(f func() error) error {
	runtime.LockOSThread()
	return f()
}
