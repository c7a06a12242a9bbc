package namespaces

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ClockOffset sets the clocks of a new time namespace: a container that was
// moved from another machine should not see its uptime jump. The wall clock
// (CLOCK_REALTIME) is in no namespace.
//
// It acts on the time namespace that the calling thread has made with
// [Unshare] for its children, and is refused (EACCES) once one of them is in
// it. A process that the thread starts is in it; so is, since Linux 6.3, what
// it becomes by execve(2). Time namespaces are there since Linux 5.6.
//
// Man page: time_namespaces(7)
type ClockOffset struct {
	Monotonic time.Duration // added to CLOCK_MONOTONIC
	Boottime  time.Duration // added to CLOCK_BOOTTIME: the uptime
}

// Do writes /proc/TID/timens_offsets.
func (c ClockOffset) Do() error {
	path := fmt.Sprintf("/proc/%d/timens_offsets", unix.Gettid()) // "self" is another thread
	if err := os.WriteFile(path, []byte(c.lines()), 0); err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return same("clock offsets", normal(string(text)), normal(c.lines()))
}

// lines are "clock seconds nanoseconds"; only the seconds may be negative.
func (c ClockOffset) lines() string {
	m, b := unix.NsecToTimespec(c.Monotonic.Nanoseconds()), unix.NsecToTimespec(c.Boottime.Nanoseconds())
	return fmt.Sprintf("monotonic %d %d\nboottime %d %d\n", m.Sec, m.Nsec, b.Sec, b.Nsec)
}

// String is unshare(1), whole seconds only.
func (c ClockOffset) String() string {
	return fmt.Sprintf("unshare --time --monotonic %d --boottime %d --fork",
		int64(c.Monotonic.Seconds()), int64(c.Boottime.Seconds()))
}
