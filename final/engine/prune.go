package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	unionfs "cutaway/04-unionfs"
	images "cutaway/05-images"
	daemon "cutaway/07-daemon"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/network"
)

// drop frees an unpacked layer. A container that stands on it keeps it.
func (e *Engine) drop(chainID string) error {
	err := e.layers.Remove(chainID)
	switch {
	case errors.Is(err, unionfs.ErrInUse):
		return fmt.Errorf("%w: %w", images.ErrConflict, err)
	case errors.Is(err, unionfs.ErrNotFound):
		return nil
	}
	return err
}

// sweepImages removes the blobs and the unpacked layers that no image and no
// container needs: what interrupted pulls have left.
func (e *Engine) sweepImages(o images.SweepOptions) error {
	all, err := e.layers.List()
	if err != nil {
		return err
	}
	o.Layers = slices.DeleteFunc(all, func(id string) bool { return !strings.HasPrefix(id, "sha256:") })
	if o.Drop == nil {
		o.Drop = e.drop
	}
	return e.images.Sweep(o)
}

// PruneImages removes images that nobody needs: those without a name or, with
// dangling=false, all that no container was made from. The toolbox stays: it
// would be back at the next start.
func (e *Engine) PruneImages(_ context.Context, f daemon.Filters) (image.PruneReport, error) {
	report := image.PruneReport{ImagesDeleted: []image.DeleteResponse{}}
	old, err := pruneFilters(f, "dangling")
	if err != nil {
		return report, err
	}
	nameless := f.Match("dangling", isTrue)
	all, err := e.images.List()
	if err != nil {
		return report, err
	}
	before := e.layerSizes()
	for _, img := range all {
		user, _ := e.userOf(img.ID)
		if user != "" || nameless && len(img.Names) > 0 || e.intermediate(img) ||
			!old(createdAt(img), img.Config.Config.Labels) || slices.Contains(img.Names, toolboxName) {
			continue
		}
		gone, err := e.removeAll(img)
		report.ImagesDeleted = append(report.ImagesDeleted, gone...)
		if err != nil {
			return report, err
		}
	}
	err = e.sweepImages(images.SweepOptions{})
	report.SpaceReclaimed = e.freedSince(before)
	return report, err
}

// removeAll takes all names of an image away, and then the image. One that came
// into use meanwhile, or has got another name, stays.
func (e *Engine) removeAll(img images.Image) (gone []image.DeleteResponse, err error) {
	for _, name := range slices.Concat(img.Names, img.Digests, []string{img.ID}) {
		some, err := imageStore{e}.remove(name, daemon.ImageRemoveOptions{}, images.RemoveOptions{Nameless: name == img.ID})
		gone = append(gone, some...)
		if err := tidy(err); err != nil { // with the last tag of a repository, its digests go, too
			return gone, err
		}
	}
	return gone, nil
}

// tidy is the error of a removal that nobody asked for by name: what came into
// use meanwhile stays, and what somebody else has removed is gone, too.
func tidy(err error) error {
	if kind := daemon.KindOf(err); kind == daemon.Conflict || kind == daemon.NotFound {
		return nil
	}
	return err
}

// layerSizes is the bytes of each unpacked layer.
func (e *Engine) layerSizes() map[string]int64 {
	all, _ := e.layers.List()
	sizes := map[string]int64{}
	for _, id := range all {
		if strings.HasPrefix(id, "sha256:") {
			sizes[id], _ = e.layers.Usage(id) // 0 if it is just being removed
		}
	}
	return sizes
}

// freedSince is the bytes of the layers that are no longer there.
func (e *Engine) freedSince(before map[string]int64) (n uint64) {
	after := e.layerSizes()
	for id, size := range before {
		if _, still := after[id]; !still {
			n += uint64(size)
		}
	}
	return n
}

// PruneContainers removes the containers that do not run.
func (e *Engine) PruneContainers(ctx context.Context, f daemon.Filters) (container.PruneReport, error) {
	report := container.PruneReport{ContainersDeleted: []string{}}
	old, err := pruneFilters(f)
	if err != nil {
		return report, err
	}
	for _, c := range e.all() {
		r := c.look()
		if c.running() || !old(r.Created, r.Config.Labels) || e.needs.holds(r.ID) {
			continue
		}
		size, _ := e.sizes(r)
		if err := e.Remove(ctx, r.ID, daemon.RemoveOptions{}); tidy(err) != nil {
			return report, err
		} else if err == nil {
			report.ContainersDeleted = append(report.ContainersDeleted, r.ID)
			report.SpaceReclaimed += uint64(size)
		}
	}
	return report, nil
}

// PruneNetworks has nothing to remove: all networks are the engine's own.
func (*Engine) PruneNetworks(context.Context, daemon.Filters) (network.PruneReport, error) {
	return network.PruneReport{NetworksDeleted: []string{}}, nil
}

func isTrue(v string) bool {
	b, err := strconv.ParseBool(v)
	return err == nil && b
}

// pruneFilters reads the filters that all kinds of prune have: until, label and
// label!. What it returns tells whether something passes.
func pruneFilters(f daemon.Filters, more ...string) (passes func(made time.Time, labels map[string]string) bool, err error) {
	if err := f.Check(append(more, "until", "label", "label!")...); err != nil {
		return nil, err
	}
	for _, v := range f["dangling"] {
		if _, err := strconv.ParseBool(v); err != nil {
			return nil, daemon.Errorf(daemon.Invalid, "invalid filter 'dangling=[%s]'", v)
		}
	}
	var until time.Time
	if len(f["until"]) > 1 {
		return nil, daemon.Errorf(daemon.Invalid, "more than one until filter specified")
	}
	for _, v := range f["until"] {
		if until, err = parseMoment(v); err != nil {
			return nil, err
		}
	}
	without := daemon.Filters{"label": f["label!"]}
	return func(made time.Time, labels map[string]string) bool {
		return (until.IsZero() || made.Before(until)) && f.MatchLabels(labels) &&
			(len(without["label"]) == 0 || !without.MatchLabels(labels))
	}, nil
}

// parseMoment reads what Docker takes for a time: "24h" ago, a date, seconds since 1970.
func parseMoment(s string) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil {
		return time.Now().Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return time.Time{}, daemon.Errorf(daemon.Invalid, "invalid time %q: want 24h, 2006-01-02, 2006-01-02T15:04:05 or seconds since 1970", s)
	}
	return time.Unix(0, int64(seconds*1e9)), nil
}
