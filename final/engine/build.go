package engine

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"

	images "cutaway/05-images"
	daemon "cutaway/07-daemon"
	"cutaway/final/build"

	api "github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/jsonstream"
)

// Build makes an image of a Dockerfile: final/build decides what is to be done,
// and builder does it.
func (e *Engine) Build(ctx context.Context, o daemon.BuildOptions, progress func(jsonstream.Message)) (id string, err error) {
	for _, tag := range o.Tags {
		if ref, err := images.ParseReference(tag); err != nil || ref.Digest != "" {
			return "", badReference.About(daemon.Errorf(daemon.Invalid, "invalid tag %q: %w", tag, cmp.Or(err, images.ErrReference)))
		}
	}
	dir, err := os.MkdirTemp(e.data("builds"), "build-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &builder{Engine: e, o: o, progress: progress}
	defer b.end()
	id, err = b.build(ctx, dir)
	if err == nil {
		for _, tag := range o.Tags {
			err = errors.Join(err, imageError(e.images.Tag(id, tag), id))
		}
	}
	return id, buildError(err)
}

// buildError gives an error its kind.
func buildError(err error) error {
	_, user := errors.AsType[*build.Error](err)
	_, exit := errors.AsType[*build.ExitError](err)
	if (user || exit) && daemon.KindOf(err) == daemon.Internal {
		return daemon.Errorf(daemon.Invalid, "%w", err)
	}
	return err
}

// build receives the context, reads the Dockerfile in it, and builds.
func (b *builder) build(ctx context.Context, dir string) (string, error) {
	files, fetched := dir+"/context", dir+"/fetched"
	if err := errors.Join(os.Mkdir(files, 0o755), os.Mkdir(fetched, 0o700)); err != nil {
		return "", err
	}
	if err := build.Receive(b.o.Context, files); err != nil {
		return "", err
	}
	file, err := build.Open(files, b.o.Dockerfile)
	if err != nil {
		return "", err
	}
	if err := build.Trim(files); err != nil {
		return "", err
	}
	return build.Build(ctx, b, build.Options{
		Dockerfile: file, Context: files, Scratch: fetched, Target: b.o.Target, Platform: b.o.Platform, Args: b.o.Args, Labels: b.o.Labels,
		Cache: b.cache, NoCache: b.o.NoCache, Pull: b.o.Pull, Out: b.say,
	})
}

// endBuilds ends the containers of builds that an earlier engine was in the
// middle of: nobody waits for them.
func (e *Engine) endBuilds() error {
	notes, err := os.ReadDir(e.data("builds"))
	for _, n := range notes {
		if c, ferr := e.find(n.Name()); ferr == nil {
			err = errors.Join(err, e.Remove(context.Background(), c.look().ID, daemon.RemoveOptions{Force: true, Volumes: true}))
		}
	}
	return errors.Join(err, os.RemoveAll(e.data("builds")), os.MkdirAll(e.data("builds"), 0o700))
}

// openBuilds opens the cache, and takes away what an earlier engine had mounted.
func (e *Engine) openBuilds() (err error) {
	views, err := os.ReadDir(e.exec("builds"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, v := range views {
		if err := e.unview(e.exec("builds", v.Name())); err != nil {
			return err
		}
	}
	if err := errors.Join(os.MkdirAll(e.data("builds"), 0o700), os.MkdirAll(e.exec("builds"), 0o711)); err != nil {
		return err
	}
	e.cache, err = build.OpenCache(e.data("cache"), func(id string) bool {
		_, err := e.images.Get(id)
		return err == nil
	})
	return err
}

// intermediate tells whether an image is but a step on the way to others: it has
// no name, and they stand on it.
func (e *Engine) intermediate(img images.Image) bool {
	return len(img.Names) == 0 && len(e.cache.Children(img.ID)) > 0
}

// forgetStep drops an image that is gone from the cache, and returns the one that
// it was made of, if nothing else needs that: no name, no image, no container.
func (e *Engine) forgetStep(id string) (parent string, err error) {
	parent, err = e.cache.Forget(id)
	if err != nil || parent == "" {
		return "", err
	}
	img, err := e.images.Get(parent)
	if errors.Is(err, images.ErrNotFound) {
		return "", nil
	}
	if user, _ := e.userOf(parent); err != nil || user != "" || len(img.Names)+len(img.Digests)+len(e.cache.Children(parent)) > 0 {
		return "", err
	}
	return parent, nil
}

// PruneBuilds removes images without a name that builds have made: those that
// lead nowhere or, with o.All, also those that led to images with one, which stay.
func (e *Engine) PruneBuilds(_ context.Context, o daemon.BuildPruneOptions) (report api.CachePruneReport, err error) {
	passes, err := pruneFilters(o.Filters)
	if err != nil {
		return report, err
	}
	report.CachesDeleted = []string{}
	before := e.layerSizes()
	for _, id := range e.cache.Images() {
		img, err := e.images.Get(id)
		if err != nil {
			continue // it went with another
		}
		user, _ := e.userOf(id)
		if user != "" || len(img.Names) > 0 || !o.All && e.intermediate(img) || !passes(createdAt(img), img.Config.Config.Labels) {
			continue
		}
		gone, err := imageStore{e}.remove(id, daemon.ImageRemoveOptions{NoPrune: o.All}, images.RemoveOptions{Nameless: true})
		if err := tidy(err); err != nil {
			return report, err
		}
		for _, g := range gone {
			report.CachesDeleted = append(report.CachesDeleted, g.Deleted)
		}
	}
	report.SpaceReclaimed = e.freedSince(before)
	return report, nil
}
