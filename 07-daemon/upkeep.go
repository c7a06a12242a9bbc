package daemon

import (
	"context"
	"net/http"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
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
		{Method: "POST", Path: "/images/prune", Handle: s.pruneImages},
		{Method: "POST", Path: "/containers/prune", Handle: s.pruneContainers},
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

func (s *Server) pruneImages(w http.ResponseWriter, r *http.Request) error {
	filters, err := ParseFilters(query(r, "filters"))
	if err != nil {
		return err
	}
	report, err := s.engine.Upkeep.PruneImages(r.Context(), filters)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, report)
}

func (s *Server) pruneContainers(w http.ResponseWriter, r *http.Request) error {
	filters, err := ParseFilters(query(r, "filters"))
	if err != nil {
		return err
	}
	report, err := s.engine.Upkeep.PruneContainers(r.Context(), filters)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, report)
}
