package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"

	daemon "cutaway/07-daemon"
)

type views struct{ *Engine }

// List implements daemon.Views.
func (e views) List(_ context.Context, o daemon.ListOptions) ([]container.Summary, error) {
	if err := o.Filters.Check("id", "name", "label", "status", "exited"); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var found []container.Summary
	for _, c := range slices.Backward(e.containers) {
		all := o.All || o.Limit > 0 || len(o.Filters["status"]) > 0
		if c.matches(o.Filters) && (all || c.proc.running()) {
			found = append(found, c.summary(e.images))
		}
	}
	if o.Limit > 0 && len(found) > o.Limit {
		found = found[:o.Limit]
	}
	return found, nil
}

func (c *ctr) matches(f daemon.Filters) bool {
	return f.MatchLabels(c.config.Labels) &&
		f.Match("id", func(v string) bool { return strings.HasPrefix(c.id, v) }) &&
		f.Match("name", func(v string) bool { return strings.Contains(c.name, v) }) &&
		f.Match("status", func(v string) bool { return v == string(c.state()) }) &&
		f.Match("exited", func(v string) bool { return c.proc.ended() && v == strconv.Itoa(c.proc.code) })
}

func (c *ctr) state() container.ContainerState {
	switch {
	case c.proc.ended():
		return container.StateExited
	case c.proc.running() && c.paused:
		return container.StatePaused
	case c.proc.running():
		return container.StateRunning
	}
	return container.StateCreated
}

func (c *ctr) summary(images map[string]string) container.Summary {
	return container.Summary{
		ID: c.id, Names: []string{"/" + c.name}, Image: c.config.Image, ImageID: images[withTag(c.config.Image)],
		Command: strings.Join(c.proc.args, " "), Created: c.created.Unix(), Labels: c.config.Labels,
		State: c.state(), Status: c.status(), NetworkSettings: &container.NetworkSettingsSummary{},
		Ports: []container.PortSummary{}, Mounts: []container.MountPoint{},
	}
}

func (c *ctr) status() string {
	started, finished, code := c.proc.history()
	if c.proc.ended() {
		return fmt.Sprintf("Exited (%d) %s ago", code, time.Since(finished).Round(time.Second))
	}
	if !c.proc.running() {
		return "Created"
	}
	up := "Up " + time.Since(started).Round(time.Second).String()
	if c.paused {
		up += " (Paused)"
	}
	return up
}

// Inspect implements daemon.Views.
func (e views) Inspect(_ context.Context, ref string, o daemon.InspectOptions) (container.InspectResponse, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(ref)
	if err != nil {
		return container.InspectResponse{}, err
	}
	started, finished, code := c.proc.history()
	seen := container.InspectResponse{
		ID: c.id, Name: "/" + c.name, Created: c.created.UTC().Format(time.RFC3339Nano), Driver: "memory", Platform: "linux",
		Image: e.images[withTag(c.config.Image)], Config: c.config.Config, HostConfig: c.config.HostConfig,
		Mounts: []container.MountPoint{}, NetworkSettings: address(), State: &container.State{
			Status: c.state(), Running: c.proc.running(), Paused: c.paused, ExitCode: code,
			StartedAt:  started.UTC().Format(time.RFC3339Nano),
			FinishedAt: finished.UTC().Format(time.RFC3339Nano),
		},
	}
	if len(c.proc.args) > 0 {
		seen.Path, seen.Args = c.proc.args[0], c.proc.args[1:]
	}
	if o.Size {
		seen.SizeRw, seen.SizeRootFs = new(int64), new(int64)
	}
	return seen, nil
}

// address is what every container here shows: they are all in one process.
func address() *container.NetworkSettings {
	return &container.NetworkSettings{Networks: map[string]*network.EndpointSettings{
		"bridge": {IPAddress: netip.MustParseAddr("127.0.0.1"), IPPrefixLen: 8},
	}}
}

// Plan implements daemon.Views.
func (e views) Plan(_ context.Context, ref string) (json.RawMessage, error) {
	_, p, err := e.lookup(ref)
	if err != nil {
		return nil, err
	}
	return json.Marshal([]string{fmt.Sprintf("go programs[%q](process)", p.args)})
}

// Logs implements daemon.Views.
func (e views) Logs(ctx context.Context, ref string, o daemon.LogOptions) (daemon.Logs, error) {
	c, p, err := e.lookup(ref)
	if err != nil {
		return daemon.Logs{}, err
	}
	return daemon.Logs{TTY: c.config.Tty, Lines: lines(ctx, p, o)}, nil
}

func lines(ctx context.Context, p *process, o daemon.LogOptions) iter.Seq2[daemon.LogLine, error] {
	return func(yield func(daemon.LogLine, error) bool) {
		follow, at := o.Follow && p.running(), 0
		if written := p.written(); o.Tail >= 0 {
			at = max(0, written-o.Tail)
		}
		for {
			if !follow && at >= p.written() {
				return
			}
			piece, err := p.read(ctx, at)
			if err != nil {
				return // the end of the process, or of the reader
			}
			at++
			late := !o.Until.IsZero() && piece.time.After(o.Until)
			if late {
				return
			}
			line := daemon.LogLine{Time: piece.time, Stderr: piece.stream == stdcopy.Stderr, Data: piece.data}
			if !piece.time.Before(o.Since) && !yield(line, nil) {
				return
			}
		}
	}
}
