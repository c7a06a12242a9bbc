package daemon

import (
	"context"
	"net/http"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/system"
)

// Upkeep tells where the disk is used, and frees what nobody needs.
type Upkeep interface {
	// DiskUsage tells of images, containers, volumes and the cache of builds.
	DiskUsage(ctx context.Context, o DiskUsageOptions) (system.DiskUsage, error)
	// PruneImages removes images without a name or, with the filter dangling=false,
	// all that no container uses; and what interrupted pulls have left.
	PruneImages(ctx context.Context, f Filters) (image.PruneReport, error)
	// PruneContainers removes all containers that do not run.
	PruneContainers(ctx context.Context, f Filters) (container.PruneReport, error)
	// PruneNetworks removes networks that no container uses.
	PruneNetworks(ctx context.Context, f Filters) (network.PruneReport, error)
}

// DiskUsageOptions says of what to tell.
type DiskUsageOptions struct {
	Types []system.DiskUsageObject // nil = of all
}

func (s *Server) upkeepRoutes() []route {
	if s.engine.Upkeep == nil {
		return nil
	}
	return []route{
		{Method: "GET", Path: "/system/df", Handle: s.diskUsage},
		{Method: "POST", Path: "/images/prune", Handle: prune(s.engine.Upkeep.PruneImages)},
		{Method: "POST", Path: "/containers/prune", Handle: prune(s.engine.Upkeep.PruneContainers)},
		{Method: "POST", Path: "/networks/prune", Handle: prune(s.engine.Upkeep.PruneNetworks)},
	}
}

func (s *Server) diskUsage(w http.ResponseWriter, r *http.Request) error {
	var o DiskUsageOptions
	for _, kind := range r.URL.Query()["type"] {
		switch object := system.DiskUsageObject(kind); object {
		case system.ContainerObject, system.ImageObject, system.VolumeObject, system.BuildCacheObject:
			o.Types = append(o.Types, object)
		default:
			return Errorf(Invalid, "unknown object type: %s", kind)
		}
	}
	usage, err := s.engine.Upkeep.DiskUsage(r.Context(), o)
	if err != nil {
		return err
	}
	if version(r).Less(Version{1, 52}) {
		return reply(w, http.StatusOK, withLists(usage))
	}
	return reply(w, http.StatusOK, usage)
}

// prune answers with what was removed.
func prune[Report any](remove func(context.Context, Filters) (Report, error)) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		filters, err := ParseFilters(query(r, "filters"))
		if err != nil {
			return err
		}
		report, err := remove(r.Context(), filters)
		if err != nil {
			return err
		}
		return reply(w, http.StatusOK, report)
	}
}
