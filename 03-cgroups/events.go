package cgroups

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	err := w.end(ctx)
	if path, absent := g.file("cgroup.events"); absent == nil && err == nil {
		err = w.unified(path)
	}
	if path, absent := g.file("memory.oom_control"); absent == nil && err == nil {
		err = w.oom(path)
	}
	for _, t := range triggers {
		if err == nil {
			err = w.pressure(t)
		}
	}
	if err != nil {
		w.close()
		return nil, fmt.Errorf("watch cgroup: %w", err)
	}
	events := make(chan Event)
	w.before = w.state()
	go w.run(ctx, events)
	return events, nil
}

// watch is the sources of a group's events, and what was known of it last.
type watch struct {
	group   Group
	sources []source
	before  map[string]string
}

// source is a descriptor on which poll(2) sees that something happened.
type source struct {
	file  *os.File
	poll  int16  // what to wait for: POLLIN, or POLLPRI where there is nothing to read
	path  string // the file that is watched: it goes with its group
	event string // what has happened; "": what has changed in the event files
}

// end is an eventfd that becomes readable when ctx is done. Its path does not exist.
func (w *watch) end(ctx context.Context) error {
	file, err := w.eventfd(source{})
	context.AfterFunc(ctx, func() { _, _ = file.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0}) }) // nothing, if it is closed
	return err
}

func (w *watch) eventfd(s source) (*os.File, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	s.file, s.poll = os.NewFile(uintptr(fd), "eventfd"), unix.POLLIN
	w.sources = append(w.sources, s)
	return s.file, nil
}

// unified watches cgroup.events and memory.events of v2.
func (w *watch) unified(path string) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("inotify_init1", err)
	}
	w.sources = append(w.sources, source{file: os.NewFile(uintptr(fd), "inotify"), poll: unix.POLLIN, path: path})
	dir := filepath.Dir(path)
	for path, mask := range map[string]uint32{
		path:                                unix.IN_MODIFY,
		filepath.Join(dir, "memory.events"): unix.IN_MODIFY,
		filepath.Dir(dir):                   unix.IN_DELETE, // files that go with their group do not tell
	} {
		if _, err := unix.InotifyAddWatch(fd, path, mask); err != nil && exists(path) {
			return os.NewSyscallError("inotify_add_watch", err)
		}
	}
	return nil
}

// oom asks v1 for a count: "<eventfd> <descriptor of the file to watch>",
// cgroup-v1/memory.rst "OOM Control".
func (w *watch) oom(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	events, err := w.eventfd(source{path: path, event: "oom"})
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(filepath.Dir(path), "cgroup.event_control"), fmt.Sprintf("%d %d", events.Fd(), f.Fd()))
}

// pressure writes a trigger to the pressure file; it counts as long as the file
// is open.
func (w *watch) pressure(t Trigger) error {
	path, err := w.group.file(t.Resource + ".pressure")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	w.sources = append(w.sources, source{f, unix.POLLPRI, path, filepath.Base(path)})
	if _, err = fmt.Fprintf(f, "some %d %d", t.Stall.Microseconds(), t.Window.Microseconds()); errors.Is(err, unix.EINVAL) {
		err = fmt.Errorf("%w: %v of %v (a window is 500 ms to 10 s; without CAP_SYS_RESOURCE a multiple of 2 s)", err, t.Stall, t.Window)
	}
	return err
}

// run waits for all sources at once, until the first of them ends.
func (w *watch) run(ctx context.Context, to chan<- Event) {
	defer close(to)
	defer w.close()
	for {
		for _, e := range w.wait() {
			if e.Name == "" {
				return
			}
			select {
			case to <- e:
			case <-ctx.Done():
				return
			}
		}
	}
}

// wait lists what has happened; an event without a name is the end.
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
		switch {
		case fds[i].Revents == 0:
		case !exists(s.path):
			return append(events, Event{})
		case s.event != "":
			events = append(events, Event{s.event, 1})
		default:
			events = append(events, w.difference()...)
		}
	}
	return events
}

// state reads v2's two event files; their keys differ.
func (w *watch) state() map[string]string {
	all := map[string]string{}
	for _, name := range []string{"cgroup.events", "memory.events"} {
		file, _ := w.group.file(name)
		keys, _ := readKeys(file)
		maps.Copy(all, keys)
	}
	return all
}

// difference lists what has changed since it was asked last.
func (w *watch) difference() (events []Event) {
	now := w.state()
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if now[key] != w.before[key] {
			n, _ := strconv.ParseUint(now[key], 10, 64)
			events = append(events, Event{key, n})
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
