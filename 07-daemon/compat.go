package daemon

import (
	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/api/types/volume"
)

// oldEvent has the fields that an event had before API 1.52, and the only ones
// that it had before 1.22. `docker run` of API 1.29 and older reads them to learn
// how its container ended, because /wait knew no conditions.
type oldEvent struct {
	events.Message
	Status string `json:"status,omitempty"`
	ID     string `json:"id,omitempty"`
	From   string `json:"from,omitempty"`
}

func withOldFields(e events.Message) any {
	if e.Type != events.ContainerEventType {
		return e
	}
	return oldEvent{Message: e, Status: string(e.Action), ID: e.Actor.ID, From: e.Actor.Attributes["image"]}
}

// oldInspect is `docker inspect` before API 1.52, when the addresses on the
// default network were shown twice. Scripts everywhere say
// --format '{{.NetworkSettings.IPAddress}}'.
type oldInspect struct {
	container.InspectResponse
	NetworkSettings *oldNetworkSettings // hides the embedded field of this name
}

type oldNetworkSettings struct {
	*container.NetworkSettings
	oldEndpoint
}

type oldEndpoint struct {
	EndpointID, Gateway, IPAddress, MacAddress string
	IPPrefixLen                                int
	GlobalIPv6Address, IPv6Gateway             string
	GlobalIPv6PrefixLen                        int
}

func withDefaultBridge(ctr container.InspectResponse) any {
	if ctr.NetworkSettings == nil {
		return ctr
	}
	old := &oldNetworkSettings{NetworkSettings: ctr.NetworkSettings}
	if ep := ctr.NetworkSettings.Networks[network.NetworkBridge]; ep != nil {
		old.oldEndpoint = oldEndpoint{
			EndpointID: ep.EndpointID, MacAddress: ep.MacAddress.String(),
			IPAddress: text(ep.IPAddress), IPPrefixLen: ep.IPPrefixLen, Gateway: text(ep.Gateway),
			GlobalIPv6Address: text(ep.GlobalIPv6Address), GlobalIPv6PrefixLen: ep.GlobalIPv6PrefixLen,
			IPv6Gateway: text(ep.IPv6Gateway),
		}
	}
	return oldInspect{ctr, old}
}

// text is an address, "" if there is none; netip's own String says "invalid IP".
func text(a interface{ MarshalText() ([]byte, error) }) string {
	b, _ := a.MarshalText() // netip.Addr never fails
	return string(b)
}

// oldDiskUsage is `docker system df` before API 1.52: whole lists, which the
// client adds up, and one sum that it cannot know.
type oldDiskUsage struct {
	LayersSize  int64
	Images      []image.Summary
	Containers  []container.Summary
	Volumes     []volume.Volume
	BuildCache  []build.CacheRecord
	BuilderSize int64
}

func withLists(u system.DiskUsage) oldDiskUsage {
	var old oldDiskUsage
	if u.ImageUsage != nil {
		old.LayersSize, old.Images = u.ImageUsage.TotalSize, orEmpty(u.ImageUsage.Items)
	}
	if u.ContainerUsage != nil {
		old.Containers = orEmpty(u.ContainerUsage.Items)
	}
	if u.VolumeUsage != nil {
		old.Volumes = orEmpty(u.VolumeUsage.Items)
	}
	if u.BuildCacheUsage != nil {
		old.BuildCache, old.BuilderSize = orEmpty(u.BuildCacheUsage.Items), u.BuildCacheUsage.TotalSize
	}
	return old
}
