package cgroups

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Event is something that happened to a group, in the kernel's own words.
type Event struct {
	Name  string // see Watch
	Value uint64 // of a state: 0 or 1; of what is counted: how often; 1 if the kernel does not count
}

// Trigger asks for an event when processes of the group have lost more time than
// Stall within Window: Pressure without looking again and again (psi.rst
// "Monitoring for pressure thresholds"). It needs what Pressure needs.
type Trigger struct {
	Resource string        // "cpu", "memory" or "io"
	Stall    time.Duration // of any of them; less than Window
	Window   time.Duration // 500 ms to 10 s; without CAP_SYS_RESOURCE a multiple of 2 s
}

// Watch tells what happens to the group, without asking the kernel again and
// again:
//
//	populated, frozen          v2's cgroup.events: a process is there, all have stopped
//	oom, oom_kill, high, max…  v2's memory.events, counted: memory was used up, the kernel killed …
//	oom                        the same in v1, uncounted; the kernel kills a moment later
//	memory.pressure …          a Trigger's file, at most once in a window
//
// v2 marks its event files as modified, for inotify(7); v1 adds to an eventfd(2)
// that is named in cgroup.event_control; with a pressure file something urgent is
// the matter (POLLPRI). One poll(2) waits for them all. What had happened before
// is not told. The channel is closed when the group is removed or ctx is done.
func (g Group) Watch(ctx context.Context, triggers ...Trigger) (<-chan Event, error) {
	w := &watch{group: g}
	if err := errors.Join(w.wake(ctx), w.unified(), w.pressure(triggers)); err != nil {
		w.close()
		return nil, fmt.Errorf("watch cgroup: %w", err)
	}
	w.difference()
	events := make(chan Event)
	go w.run(ctx, events)
	return events, nil
}

// watch is the sources of a group's events, and what was known of it last.
type watch struct {
	group   Group
	sources []source
	before  map[string]uint64
}

// source is a descriptor on which poll(2) sees that something happened.
type source struct {
	file  *os.File
	poll  int16  // what to wait for: POLLIN, or POLLPRI where there is nothing to read
	event string // what has happened; "": what has changed in the event files
}

// wake makes an eventfd to which we write when ctx is done, and v1's kernel when
// memory is used up: "<eventfd> <descriptor of the file to watch>",
// cgroup-v1/memory.rst "OOM Control". It tells of the group's end in the same way.
func (w *watch) wake(ctx context.Context) error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	file := os.NewFile(uintptr(fd), "eventfd")
	w.sources = append(w.sources, source{file, unix.POLLIN, "oom"})
	context.AfterFunc(ctx, func() { _, _ = file.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0}) }) // nothing, if it is closed
	control, err := w.group.file("memory.oom_control")
	if err != nil {
		return nil // v2
	}
	oom, err := os.Open(control)
	if err != nil {
		return err
	}
	defer oom.Close()
	return writeFile(filepath.Join(filepath.Dir(control), "cgroup.event_control"), fmt.Sprintf("%d %d", fd, oom.Fd()))
}

// unified watches cgroup.events and memory.events of v2.
func (w *watch) unified() error {
	path, err := w.group.file("cgroup.events")
	if err != nil {
		return nil // v1
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("inotify_init1", err)
	}
	w.sources = append(w.sources, source{os.NewFile(uintptr(fd), "inotify"), unix.POLLIN, ""})
	dir := filepath.Dir(path)
	_, _ = unix.InotifyAddWatch(fd, filepath.Join(dir, "memory.events"), unix.IN_MODIFY) // absent without the controller
	_, err = unix.InotifyAddWatch(fd, path, unix.IN_MODIFY)
	_, err2 := unix.InotifyAddWatch(fd, filepath.Dir(dir), unix.IN_DELETE) // files that go with their group do not tell
	return os.NewSyscallError("inotify_add_watch", errors.Join(err, err2))
}

// pressure writes the triggers to pressure files; each counts as long as its file
// is open.
func (w *watch) pressure(triggers []Trigger) error {
	for _, t := range triggers {
		path, err := w.group.file(t.Resource + ".pressure")
		if err != nil {
			return err
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		w.sources = append(w.sources, source{f, unix.POLLPRI, filepath.Base(path)})
		_, err = fmt.Fprintf(f, "some %d %d", t.Stall.Microseconds(), t.Window.Microseconds())
		if errors.Is(err, unix.EINVAL) {
			err = fmt.Errorf("%w: %v of %v (a window is 500 ms to 10 s; without CAP_SYS_RESOURCE a multiple of 2 s)", err, t.Stall, t.Window)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// run tells what happens, until ctx is done or the group is removed from a
// hierarchy.
func (w *watch) run(ctx context.Context, to chan<- Event) {
	defer close(to)
	defer w.close()
	gone := func(path string) bool { return !exists(path) }
	for {
		happened := w.wait()
		if ctx.Err() != nil || slices.ContainsFunc(w.group.Paths, gone) {
			return
		}
		for _, e := range happened {
			select {
			case to <- e:
			case <-ctx.Done():
				return
			}
		}
	}
}

// wait waits for all sources at once, and lists what has happened.
func (w *watch) wait() (events []Event) {
	fds := make([]unix.PollFd, len(w.sources))
	for i, s := range w.sources {
		fds[i] = unix.PollFd{Fd: int32(s.file.Fd()), Events: s.poll}
	}
	_, _ = unix.Poll(fds, -1) // EINTR, then nothing: Go's runtime sends signals to its threads
	for i, s := range w.sources {
		if fds[i].Revents&unix.POLLIN != 0 { // records that say which file, or a count: we look at everything
			_, _ = s.file.Read(make([]byte, 4096))
		}
		if fds[i].Revents != 0 && s.event != "" {
			events = append(events, Event{s.event, 1})
		}
	}
	return append(events, w.difference()...)
}

// difference lists what has changed in v2's two event files since it was asked
// last; their keys differ.
func (w *watch) difference() (events []Event) {
	now := w.group.count("cgroup.events", "memory.events")
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if now[key] != w.before[key] {
			events = append(events, Event{key, now[key]})
		}
	}
	w.before = now
	return events
}

func (w *watch) close() {
	for _, s := range w.sources {
		_ = s.file.Close()
	}
}
