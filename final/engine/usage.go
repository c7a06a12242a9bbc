package engine

import (
	"context"
	"slices"

	daemon "cutaway/07-daemon"

	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/api/types/volume"
)

// DiskUsage tells what takes how much of the disk. As in Docker, that of an image is
// its files, unpacked; the archives that they came in are kept as well, for push and save.
func (e *Engine) DiskUsage(ctx context.Context, o daemon.DiskUsageOptions) (u system.DiskUsage, err error) {
	asked := func(kind system.DiskUsageObject) bool { return len(o.Types) == 0 || slices.Contains(o.Types, kind) }
	if asked(system.ImageObject) {
		if u.ImageUsage, err = e.imageUsage(ctx); err != nil {
			return u, err
		}
	}
	if asked(system.ContainerObject) {
		if u.ContainerUsage, err = e.containerUsage(ctx); err != nil {
			return u, err
		}
	}
	if asked(system.VolumeObject) {
		u.VolumeUsage = &volume.DiskUsage{Items: []volume.Volume{}}
	}
	if asked(system.BuildCacheObject) { // what builds keep is images
		u.BuildCacheUsage = &build.DiskUsage{Items: []build.CacheRecord{}}
	}
	return u, nil
}

func (e *Engine) imageUsage(ctx context.Context) (*image.DiskUsage, error) {
	list, err := imageStore{e}.List(ctx, daemon.ImageListOptions{SharedSize: true})
	u := &image.DiskUsage{Items: list, TotalCount: int64(len(list))}
	for _, size := range e.layerSizes() {
		u.TotalSize += size
	}
	u.Reclaimable = u.TotalSize
	for _, img := range list {
		if img.Containers > 0 {
			u.ActiveCount++
			u.Reclaimable -= img.Size - img.SharedSize
		}
	}
	return u, err
}

func (e *Engine) containerUsage(ctx context.Context) (*container.DiskUsage, error) {
	list, err := e.List(ctx, daemon.ListOptions{All: true, Size: true})
	u := &container.DiskUsage{Items: list, TotalCount: int64(len(list))}
	for _, c := range list {
		u.TotalSize += c.SizeRw
		if c.State == container.StateRunning || c.State == container.StatePaused {
			u.ActiveCount++
		} else {
			u.Reclaimable += c.SizeRw
		}
	}
	return u, err
}
