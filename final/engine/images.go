package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	images "cutaway/05-images"
	daemon "cutaway/07-daemon"
	toolbox "cutaway/final/toolbox/image"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/api/types/storage"
)

// imageStore is the engine as 07-daemon's Images: the names of its methods are
// taken by containers.
type imageStore struct{ *Engine }

// imageError gives an error of the store its kind, in Docker's words.
func imageError(err error, ref string) error {
	switch {
	case errors.Is(err, images.ErrNotFound):
		if parsed, e := images.ParseReference(ref); e == nil && parsed.Digest == "" {
			ref = parsed.Familiar()
		}
		return noImage.About(daemon.Errorf(daemon.NotFound, "No such image: %s", ref))
	case errors.Is(err, images.ErrReference), errors.Is(err, images.ErrAmbiguous):
		return badReference.About(daemon.Errorf(daemon.Invalid, "%w", err))
	case errors.Is(err, images.ErrConflict):
		return imageInUse.About(daemon.Errorf(daemon.Conflict, "%w", err))
	}
	return err
}

// List shows images, newest first.
func (e imageStore) List(_ context.Context, o daemon.ImageListOptions) ([]image.Summary, error) {
	passes, err := e.imageFilter(o.Filters)
	if err != nil {
		return nil, err
	}
	all, err := e.images.List()
	if err != nil {
		return nil, err
	}
	users := map[string]int64{}
	for _, c := range e.all() {
		users[c.look().Image]++
	}
	shared := func(images.Image) int64 { return -1 } // nobody asked
	if o.SharedSize {
		shared = e.sharedSizes(all)
	}
	list := []image.Summary{}
	for _, img := range all {
		names, digests, fit := named(img, o.Filters["reference"])
		if !fit || !passes(img) || !o.All && e.intermediate(img) {
			continue
		}
		list = append(list, image.Summary{
			ID: img.ID, RepoTags: names, RepoDigests: digests, Created: createdAt(img).Unix(),
			Size: e.unpackedSize(img), SharedSize: shared(img), Containers: users[img.ID], Labels: img.Config.Config.Labels,
		})
	}
	return list, nil
}

// createdAt is when an image was made; reproducible ones do not say, and count
// from 1970, as in Docker.
func createdAt(img images.Image) time.Time {
	if img.Created.IsZero() {
		return time.Unix(0, 0).UTC()
	}
	return img.Created
}

func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// unpackedSize is the bytes that an image takes on the disk, layers that it
// shares with others included.
func (e imageStore) unpackedSize(img images.Image) (n int64) {
	for _, l := range img.Layers {
		n += e.layerSize(l)
	}
	return n
}

// Inspect tells everything about an image.
func (e imageStore) Inspect(_ context.Context, ref string) (image.InspectResponse, error) {
	img, err := e.images.Get(ref)
	if err != nil {
		return image.InspectResponse{}, imageError(err, ref)
	}
	resp := image.InspectResponse{
		ID: img.ID, RepoTags: orNone(img.Names), RepoDigests: orNone(img.Digests), Created: createdAt(img).Format(time.RFC3339Nano),
		Author: img.Config.Author, Architecture: img.Config.Architecture, Variant: img.Config.Variant, Os: img.Config.OS,
		OsVersion: img.Config.OSVersion, Size: e.unpackedSize(img),
		GraphDriver: &storage.DriverData{Name: e.layers.Driver(), Data: map[string]string{}},
		RootFS:      image.RootFS{Type: "layers"},
	}
	if steps := img.History(); len(steps) > 0 {
		resp.Comment = steps[0].Comment // the message of a commit or an import
	}
	for _, l := range img.Layers {
		resp.RootFS.Layers = append(resp.RootFS.Layers, l.DiffID)
	}
	// The two libraries write the same JSON (OCI image-spec, config.md).
	data, err := json.Marshal(img.Config.Config)
	if err == nil {
		err = json.Unmarshal(data, &resp.Config)
	}
	return resp, err
}

// Pull fetches an image and unpacks it.
func (e imageStore) Pull(ctx context.Context, o daemon.PullOptions, progress func(jsonstream.Message)) error {
	if o.AllTags {
		return daemon.Errorf(daemon.NotImplemented, "--all-tags: cutaway does not have this yet; pull one tag at a time")
	}
	ref, err := images.ParseReference(o.Ref)
	if err != nil {
		return badReference.About(daemon.Errorf(daemon.Invalid, "%w", err))
	}
	platform, err := images.ParsePlatform(o.Platform)
	if err != nil {
		return daemon.Errorf(daemon.Invalid, "%w", err)
	}
	_, err = e.images.Pull(ctx, ref, images.PullOptions{
		Platform: platform, Registry: e.registry(o.Auth), Unpack: e.layers, Progress: lines(progress),
	})
	return transferError(err, o.Auth)
}

// Tag gives an image one more name.
func (e imageStore) Tag(_ context.Context, ref, name string) error {
	return imageError(e.images.Tag(ref, name), ref)
}

// Remove takes a name away and, with the last, the image, and the steps of the
// build that only led to it.
func (e imageStore) Remove(_ context.Context, ref string, o daemon.ImageRemoveOptions) ([]image.DeleteResponse, error) {
	return e.remove(ref, o, images.RemoveOptions{Force: o.Force})
}

func (e imageStore) remove(ref string, o daemon.ImageRemoveOptions, how images.RemoveOptions) ([]image.DeleteResponse, error) {
	list, err := e.removeOne(ref, how)
	for n := 0; n < len(list) && err == nil; n++ {
		parent, ferr := e.forgetStep(list[n].Deleted)
		if err = ferr; err != nil || parent == "" || o.NoPrune {
			continue
		}
		more, merr := e.removeOne(parent, images.RemoveOptions{Nameless: true})
		list, err = append(list, more...), tidy(merr)
	}
	return list, err
}

func (e imageStore) removeOne(ref string, o images.RemoveOptions) ([]image.DeleteResponse, error) {
	o.InUse, o.Drop = e.userOf, e.drop
	removed, err := e.images.Remove(ref, o)
	if err != nil {
		return nil, imageError(err, ref)
	}
	list := []image.DeleteResponse{}
	for _, r := range removed {
		list = append(list, image.DeleteResponse{Untagged: r.Untagged, Deleted: r.Deleted})
	}
	return list, nil
}

// userOf names a container that was made from the image, or a build that needs it.
func (e *Engine) userOf(imageID string) (id string, running bool) {
	if e.needs.holds(imageID) {
		return "of a build", true
	}
	for _, c := range e.all() {
		r := c.look()
		if r.Image != imageID {
			continue
		}
		id = r.ID[:12] // as people see it
		if r.State.Status == container.StateRunning {
			return id, true
		}
	}
	return id, false
}

const toolboxName = "cutaway/toolbox:latest"

// addToolbox makes the image that needs no registry. The one that an older binary
// made goes, unless a container needs it.
func (e *Engine) addToolbox() error {
	img, err := toolbox.Make(cmp.Or(e.o.Toolbox, e.exePath()))
	if err != nil {
		return err
	}
	old, oldErr := e.images.Get(toolboxName)
	added, err := e.images.Add(img, toolboxName, e.layers)
	if err != nil {
		return fmt.Errorf("store it: %w", err)
	}
	if oldErr == nil && old.ID != added.ID {
		_, err = imageStore{e}.Remove(context.Background(), old.ID, daemon.ImageRemoveOptions{})
		err = tidy(err)
	}
	return err
}
