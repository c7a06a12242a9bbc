package cgroups

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// Event is something that happened to a group.
type Event string

// The events. On v1 there is only OOM, and it comes when the memory is used up,
// a moment before the kernel kills.
const (
	OOM       Event = "oom"       // the kernel killed, for want of memory
	Empty     Event = "empty"     // the last process has ended
	Populated Event = "populated" // the first process is there
	Frozen    Event = "frozen"    // every process has stopped
	Thawed    Event = "thawed"
)

// Watch tells what happens to the group, without asking the kernel again and
// again: v2 marks its event files as modified, for inotify(7); v1 adds to an
// eventfd(2) that is named in cgroup.event_control. What had happened before is
// not told. The channel is closed when the group is removed or ctx is done.
func (g Group) Watch(ctx context.Context) (<-chan Event, error) {
	ctx, cancel := context.WithCancel(ctx)
	events := make(chan Event)
	var watchers sync.WaitGroup
	for _, open := range []func() (source, error){g.unifiedSource, g.oomSource} {
		src, err := open()
		if err != nil {
			cancel()
			return nil, fmt.Errorf("watch %q: %w", g.Paths, err)
		}
		if src.file == nil {
			continue
		}
		context.AfterFunc(ctx, func() { _ = src.file.Close() }) // ends the Read
		watchers.Go(func() {
			defer cancel() // a group is removed from all hierarchies
			src.pump(ctx, events)
		})
	}
	go func() {
		watchers.Wait()
		cancel()
		close(events)
	}()
	return events, nil
}

// source is a descriptor that becomes readable when something happened.
type source struct {
	file *os.File
	dir  string
	what func() []Event // what has happened since it was asked last
}

func (s source) pump(ctx context.Context, to chan<- Event) {
	buf := make([]byte, 4096) // records that say which file, or a count: we look at everything
	for {
		if _, err := s.file.Read(buf); err != nil || !exists(s.dir) {
			return
		}
		for _, e := range s.what() {
			select {
			case to <- e:
			case <-ctx.Done():
				return
			}
		}
	}
}

// unifiedSource watches cgroup.events and memory.events of v2.
func (g Group) unifiedSource() (source, error) {
	events, err := g.file("cgroup.events")
	if err != nil {
		return source{}, nil
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return source{}, os.NewSyscallError("inotify_init1", err)
	}
	dir := filepath.Dir(events)
	s := source{file: os.NewFile(uintptr(fd), "inotify"), dir: dir}
	for path, mask := range map[string]uint32{
		events:                              unix.IN_MODIFY,
		filepath.Join(dir, "memory.events"): unix.IN_MODIFY,
		filepath.Dir(dir):                   unix.IN_DELETE, // files that go with their group do not tell
	} {
		if _, err := unix.InotifyAddWatch(fd, path, mask); err != nil && exists(path) {
			_ = s.file.Close()
			return source{}, os.NewSyscallError("inotify_add_watch", err)
		}
	}
	before := readUnifiedEvents(dir)
	s.what = func() []Event {
		now := readUnifiedEvents(dir)
		list := difference(before, now)
		before = now
		return list
	}
	return s, nil
}

// readUnifiedEvents reads both files: their keys differ.
func readUnifiedEvents(dir string) map[string]uint64 {
	all := map[string]uint64{}
	for _, f := range []string{"cgroup.events", "memory.events"} {
		keys, _ := readKeys(filepath.Join(dir, f))
		maps.Copy(all, keys)
	}
	return all
}

func difference(before, now map[string]uint64) []Event {
	var list []Event
	if now["oom_kill"] > before["oom_kill"] {
		list = append(list, OOM)
	}
	for key, names := range map[string][2]Event{"populated": {Empty, Populated}, "frozen": {Thawed, Frozen}} {
		if before[key] != now[key] && now[key] < 2 {
			list = append(list, names[now[key]])
		}
	}
	return list
}

// oomSource asks v1 for a count: "<eventfd> <descriptor of the file to watch>",
// cgroup-v1/memory.rst "OOM Control".
func (g Group) oomSource() (source, error) {
	control, err := g.file("memory.oom_control")
	if err != nil {
		return source{}, nil
	}
	f, err := os.Open(control)
	if err != nil {
		return source{}, err
	}
	defer f.Close()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return source{}, os.NewSyscallError("eventfd", err)
	}
	dir := filepath.Dir(control)
	s := source{file: os.NewFile(uintptr(fd), "eventfd"), dir: dir, what: func() []Event { return []Event{OOM} }}
	if err := writeFile(filepath.Join(dir, "cgroup.event_control"), fmt.Sprintf("%d %d", fd, f.Fd())); err != nil {
		_ = s.file.Close()
		return source{}, err
	}
	return s, nil
}
