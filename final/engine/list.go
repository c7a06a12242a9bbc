package engine

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	daemon "cutaway/07-daemon"
	"cutaway/final/spec"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	api "github.com/moby/moby/api/types/network"
)

// List shows containers, newest first.
func (e *Engine) List(_ context.Context, o daemon.ListOptions) ([]container.Summary, error) {
	if err := checkFilters(o.Filters); err != nil {
		return nil, err
	}
	all := e.all()
	slices.SortFunc(all, func(a, b *Container) int { return b.look().Created.Compare(a.look().Created) })
	list := []container.Summary{}
	for _, c := range all {
		r := c.look()
		_, byState := o.Filters["status"]
		if !o.All && !byState && o.Limit <= 0 && r.State.Status != container.StateRunning {
			continue
		}
		if !e.matches(r, o.Filters) {
			continue
		}
		s := e.summary(r)
		if o.Size {
			s.SizeRw, s.SizeRootFs = e.sizes(r)
		}
		list = append(list, s)
		if o.Limit > 0 && len(list) == o.Limit {
			break
		}
	}
	return list, nil
}

// filters is what can be asked for with --filter.
var filters = []string{"ancestor", "before", "exited", "id", "label", "name", "network", "since", "status", "volume"}

func checkFilters(f daemon.Filters) error {
	for key := range f {
		if !slices.Contains(filters, key) {
			return daemon.Errorf(daemon.Invalid, "invalid filter '%s'", key)
		}
	}
	for _, s := range f["status"] {
		if err := container.ValidateContainerState(container.ContainerState(s)); err != nil {
			return daemon.Errorf(daemon.Invalid, "%w", err)
		}
	}
	return nil
}

// matches tells whether a container passes: for each key, one value has to fit;
// of labels, all have to.
func (e *Engine) matches(r Record, f daemon.Filters) bool {
	for key, values := range f {
		others := slices.DeleteFunc(slices.Clone(values), func(v string) bool { return e.fits(r, key, v) })
		if len(others) > 0 && (key == "label" || len(others) == len(values)) {
			return false
		}
	}
	return true
}

func (e *Engine) fits(r Record, key, v string) bool {
	switch key {
	case "id":
		return strings.HasPrefix(r.ID, v)
	case "name":
		return strings.Contains(r.Name, strings.TrimPrefix(v, "/"))
	case "status":
		return string(r.State.shown()) == v
	case "exited":
		return r.State.Status == container.StateExited && strconv.Itoa(r.State.ExitCode) == v
	case "label":
		name, value, has := strings.Cut(v, "=")
		got, ok := r.Config.Labels[name]
		return ok && (!has || got == value)
	case "before", "since":
		return e.isOlder(r, key, v)
	case "ancestor":
		img, err := e.images.Get(v)
		return err == nil && img.ID == r.Image || r.Config.Image == v
	case "network":
		return networkName(r) == v
	case "volume":
		return slices.ContainsFunc(r.Mounts, func(m container.MountPoint) bool { return m.Name == v || m.Source == v || m.Destination == v })
	}
	return false
}

// isOlder tells whether a container was made before, or with "since" after,
// another one.
func (e *Engine) isOlder(r Record, key, than string) bool {
	other, err := e.find(than)
	if err != nil {
		return false
	}
	order := r.Created.Compare(other.look().Created)
	return key == "before" && order < 0 || key == "since" && order > 0
}

func (e *Engine) summary(r Record) container.Summary {
	s := container.Summary{
		ID: r.ID, Names: []string{"/" + r.Name}, Image: r.Config.Image, ImageID: r.Image,
		Command: strings.Join(spec.Args(r.Config), " "), Created: r.Created.Unix(),
		Ports: portSummaries(r), Labels: orEmpty(r.Config.Labels),
		State: r.State.shown(), Status: status(r.State), Mounts: mountPoints(r),
		NetworkSettings: &container.NetworkSettingsSummary{Networks: e.endpoints(r)},
	}
	s.HostConfig.NetworkMode = string(r.Host.NetworkMode)
	return s
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func portSummaries(r Record) []container.PortSummary {
	list := []container.PortSummary{}
	ports := published(r)
	for _, p := range slices.SortedFunc(maps.Keys(ports), func(a, b api.Port) int { return int(a.Num()) - int(b.Num()) }) {
		one := container.PortSummary{PrivatePort: p.Num(), Type: string(p.Proto())}
		if len(ports[p]) == 0 {
			list = append(list, one)
		}
		for _, b := range ports[p] {
			n, _ := strconv.Atoi(b.HostPort)
			one.IP, one.PublicPort = b.HostIP, uint16(n)
			list = append(list, one)
		}
	}
	return list
}

func mountPoints(r Record) []container.MountPoint {
	list := slices.Clone(r.Mounts)
	if list == nil {
		list = []container.MountPoint{}
	}
	for _, m := range r.Host.Mounts {
		if m.Type == mount.TypeTmpfs {
			list = append(list, container.MountPoint{Type: m.Type, Destination: path.Clean(m.Target), RW: !m.ReadOnly})
		}
	}
	return list
}

// status is the STATUS column of docker ps.
func status(s State) string {
	switch s.shown() {
	case container.StateRunning:
		return "Up " + units.HumanDuration(time.Since(s.Started))
	case container.StatePaused:
		return "Up " + units.HumanDuration(time.Since(s.Started)) + " (Paused)"
	case container.StateExited:
		return fmt.Sprintf("Exited (%d) %s ago", s.ExitCode, units.HumanDuration(time.Since(s.Finished)))
	}
	return "Created"
}
