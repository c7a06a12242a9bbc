package memory

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/jsonstream"

	daemon "cutaway/07-daemon"
)

type images struct{ *Engine }

func newImageID(name string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(name))) }

// familiar is a name of Docker Hub as people write it.
func familiar(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/"), "library/")
}

func withTag(name string) string {
	if strings.Contains(name[strings.LastIndexByte(name, '/')+1:], ":") {
		return name
	}
	return name + ":latest"
}

// find gives the name and ID that a ref means. Hold mu.
func (e images) find(ref string) (name, id string, err error) {
	if id, ok := e.images[withTag(ref)]; ok {
		return withTag(ref), id, nil
	}
	for _, name := range slices.Sorted(maps.Keys(e.images)) {
		if id := e.images[name]; ref == id || strings.HasPrefix(strings.TrimPrefix(id, "sha256:"), ref) {
			return name, id, nil
		}
	}
	return "", "", daemon.Errorf(daemon.NotFound, "No such image: %s", ref)
}

// List implements daemon.Images.
func (e images) List(context.Context, daemon.ImageListOptions) ([]image.Summary, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var found []image.Summary
	for _, name := range slices.Sorted(maps.Keys(e.images)) {
		found = append(found, image.Summary{
			ID: e.images[name], RepoTags: []string{name}, RepoDigests: []string{}, Containers: -1, SharedSize: -1,
		})
	}
	return found, nil
}

// Inspect implements daemon.Images.
func (e images) Inspect(_ context.Context, ref string) (image.InspectResponse, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	name, id, err := e.find(ref)
	if err != nil {
		return image.InspectResponse{}, err
	}
	return image.InspectResponse{ID: id, RepoTags: []string{name}, RepoDigests: []string{}, Os: "linux", Architecture: "amd64"}, nil
}

// Pull implements daemon.Images. It has no registry: a name that ends in
// "missing" is not found, one that ends in "broken" breaks half-way, all others are there.
func (e images) Pull(ctx context.Context, o daemon.PullOptions, progress func(jsonstream.Message)) error {
	ref := familiar(o.Ref)
	repo, tag, _ := strings.Cut(ref, ":")
	if strings.HasSuffix(repo, "missing") {
		return daemon.Errorf(daemon.NotFound, "pull access denied for %s, repository does not exist or may require 'docker login'", repo)
	}
	if o.Auth.Password == "wrong" {
		return daemon.Errorf(daemon.Unauthorized, "unauthorized: incorrect username or password")
	}
	progress(jsonstream.Message{Status: "Pulling from " + repo, ID: tag})
	for done := int64(0); done <= 4096; done += 1024 {
		if strings.HasSuffix(repo, "broken") && done > 1024 {
			return fmt.Errorf("read layer of %s: unexpected EOF", ref)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		progress(jsonstream.Message{Status: "Downloading", ID: "0123456789ab", Progress: &jsonstream.Progress{Current: done, Total: 4096}})
	}
	progress(jsonstream.Message{Status: "Status: Downloaded newer image for " + ref})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.images[withTag(ref)] = newImageID(withTag(ref))
	return nil
}

// Tag implements daemon.Images.
func (e images) Tag(_ context.Context, ref, name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, id, err := e.find(ref)
	if err == nil {
		e.images[withTag(familiar(name))] = id
	}
	return err
}

// Remove implements daemon.Images.
func (e images) Remove(_ context.Context, ref string, o daemon.ImageRemoveOptions) ([]image.DeleteResponse, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	name, id, err := e.find(ref)
	if err != nil {
		return nil, err
	}
	for _, c := range e.containers {
		if withTag(c.config.Image) == name && !o.Force {
			return nil, daemon.Errorf(daemon.Conflict, "conflict: unable to remove repository reference %q (must force) - "+
				"container %s is using its referenced image %s", ref, c.id[:12], id[7:19])
		}
	}
	delete(e.images, name)
	removed := []image.DeleteResponse{{Untagged: name}}
	if !slices.Contains(slices.Collect(maps.Values(e.images)), id) {
		removed = append(removed, image.DeleteResponse{Deleted: id})
	}
	return removed, nil
}
