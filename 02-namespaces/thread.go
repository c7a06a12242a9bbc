package namespaces

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// OnThread calls f on a thread of its own, which ends with f, so that what f
// does to its namespaces with [Join] or [Unshare] is done to nobody else. A
// child that f starts is born in those namespaces.
//
// # What if it were the main thread?
//
// The runtime ends a thread whose goroutine ends locked, with one exception:
// a process's first thread cannot end before the process. It would keep the
// namespaces, and /proc/self, which is about the first thread, would lie. So
// if we are on it, we keep it busy and ask for another.
func OnThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: no other goroutine may ever run here
		if unix.Gettid() == unix.Getpid() {
			defer runtime.UnlockOSThread()
			done <- OnThread(f)
			return
		}
		done <- f()
	}()
	return <-done
}
