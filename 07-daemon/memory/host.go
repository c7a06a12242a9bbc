package memory

import (
	"context"
	"iter"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/system"

	daemon "cutaway/07-daemon"
)

type host struct{ *Engine }

// Info implements daemon.System.
func (e host) Info(context.Context) (system.Info, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	info := system.Info{
		ID: "memory", Name: "memory", Driver: "memory", ServerVersion: "0", OSType: "linux", Architecture: "x86_64",
		OperatingSystem: "Go " + runtime.Version(), NCPU: runtime.NumCPU(), NGoroutines: runtime.NumGoroutine(),
		Containers: len(e.containers), Images: len(e.images),
	}
	for _, c := range e.containers {
		if c.proc.running() {
			info.ContainersRunning++
		}
	}
	info.ContainersStopped = info.Containers - info.ContainersRunning
	return info, nil
}

// Version implements daemon.System.
func (host) Version(context.Context) (system.VersionResponse, error) {
	return system.VersionResponse{Platform: system.PlatformInfo{Name: "cutaway, in memory"}, Version: "0"}, nil
}

type journal struct{ *Engine }

// Events implements daemon.Events.
func (e journal) Events(ctx context.Context, o daemon.EventOptions) (iter.Seq2[events.Message, error], error) {
	if err := o.Filters.Check("event", "container", "type"); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	at := len(e.happened)
	if !o.Since.IsZero() {
		at = 0
	}
	return func(yield func(events.Message, error) bool) {
		if !o.Until.IsZero() {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, o.Until)
			defer cancel()
		}
		for {
			e.mu.Lock()
			fresh, news := slices.Clone(e.happened[at:]), e.news
			at = len(e.happened)
			e.mu.Unlock()
			for _, event := range fresh {
				early := time.Unix(0, event.TimeNano).Before(o.Since)
				if !early && matches(o.Filters, event) && !yield(event, nil) {
					return
				}
			}
			select {
			case <-news:
			case <-ctx.Done():
				return
			}
		}
	}, nil
}

func matches(f daemon.Filters, event events.Message) bool {
	return f.Match("type", func(v string) bool { return v == string(event.Type) }) &&
		f.Match("event", func(v string) bool { return v == string(event.Action) }) &&
		f.Match("container", func(v string) bool {
			return strings.HasPrefix(event.Actor.ID, v) || v == event.Actor.Attributes["name"]
		})
}
