package images

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// ErrConflict is wrapped by the errors of [Store.Remove] that a container or
// another name of the image causes.
var ErrConflict = errors.New("conflict")

// RemoveOptions say who else needs what is to be removed.
type RemoveOptions struct {
	// Force removes an image that has names in several repositories or a
	// stopped container. Nothing removes one with a running container.
	Force bool
	// Nameless leaves an image that has a tag: it may have come by one since the
	// caller looked.
	Nameless bool
	// InUse names a container made from the image with this ID, a running one
	// if there is any; "" if there is none. Nil: no container anywhere.
	InUse func(imageID string) (container string, running bool)
	// Drop frees an unpacked layer that no image needs any more. It is called
	// under the store's lock, so that no pull can begin to rely on the layer
	// at that moment. An error that wraps ErrConflict says that a container
	// still needs the layer: it stays. Nil: layers are only reported.
	Drop func(chainID string) error
}

// Removed is one line of what [Store.Remove] did: a name that is gone, or the
// ID of an image or the ChainID of a layer.
type Removed struct{ Untagged, Deleted string }

// Remove takes away a name and, with the last name, the image; a ref that is
// an ID takes away the image with all its names. Blobs that are needed by no
// image and no running pull are deleted. What is a conflict is up to the rules
// of `docker rmi` (moby, daemon/images/image_delete.go).
func (s *Store) Remove(ref string, o RemoveOptions) ([]Removed, error) {
	return locked(s, func() ([]Removed, error) { return s.remove(ref, o) })
}

func (s *Store) remove(ref string, o RemoveOptions) (done []Removed, err error) {
	img, err := s.Get(ref)
	if err != nil {
		return nil, err
	}
	names, whole, err := o.decide(img, ref)
	if err != nil {
		return nil, err
	}
	err = s.change(func(index *v1.IndexManifest) error {
		for _, ref := range names {
			dropName(index, ref)
			done = append(done, Removed{Untagged: ref.Familiar()})
		}
		if whole {
			done = append(done, Removed{Deleted: img.ID})
			index.Manifests = slices.DeleteFunc(index.Manifests, func(d v1.Descriptor) bool {
				have, err := s.load(d)
				return err == nil && have.ID == img.ID
			})
		}
		return nil
	})
	if err != nil || !whole {
		return done, err
	}
	var layers []string
	for _, l := range slices.Backward(img.Layers) {
		layers = append(layers, l.ChainID)
	}
	dropped, err := s.collect(SweepOptions{Layers: layers, Drop: o.Drop})
	for _, id := range dropped {
		done = append(done, Removed{Deleted: id})
	}
	return done, err
}

// decide applies Docker's rules: which names go, and whether the image does.
func (o RemoveOptions) decide(img Image, name string) (gone []Reference, whole bool, err error) {
	container, running := "", false
	if o.InUse != nil {
		container, running = o.InUse(img.ID)
	}
	ref, byName := img.named(name)
	single := len(img.Names) <= 1 && !slices.ContainsFunc(img.refs, func(r Reference) bool { return r.Name() != img.refs[0].Name() })
	conflict := func(format string, args ...any) ([]Reference, bool, error) {
		return nil, false, fmt.Errorf("%w: unable to "+format, append([]any{ErrConflict}, args...)...)
	}
	switch {
	case o.Nameless && len(img.Names) > 0:
		return conflict("delete %s - it is called %s", short(img.ID), img.Names[0])
	case byName && !single:
		return img.withDigests(ref), false, nil
	case byName && container != "" && !o.Force:
		return conflict("remove repository reference %q (must force) - container %s is using its referenced image %s", ref.Familiar(), container, short(img.ID))
	case byName && running:
		return img.refs, false, nil // the image stays, nameless
	case running:
		return conflict("delete %s (cannot be forced) - image is being used by running container %s", short(img.ID), container)
	case container != "" && !o.Force:
		return conflict("delete %s (must be forced) - image is being used by stopped container %s", short(img.ID), container)
	case !single && !o.Force:
		return conflict("delete %s (must be forced) - image is referenced in multiple repositories", short(img.ID))
	}
	return img.refs, true, nil
}

// named tells which of the image's names is meant, if it is one.
func (i Image) named(name string) (ref Reference, ok bool) {
	ref, err := ParseReference(name)
	return ref.key(), err == nil && slices.Contains(i.refs, ref.key())
}

// withDigests adds the digests of ref's repository if no other tag of it remains.
func (i Image) withDigests(ref Reference) []Reference {
	gone := []Reference{ref}
	for _, other := range i.refs {
		if other == ref || other.Name() != ref.Name() {
			continue
		}
		if other.Tag != "" {
			return gone[:1]
		}
		gone = append(gone, other)
	}
	return gone
}

// slowest is longer than anybody writes to a temporary file.
const slowest = 24 * time.Hour

// SweepOptions are all optional.
type SweepOptions struct {
	// Layers are the ChainIDs of all unpacked layers. Drop, as in RemoveOptions,
	// is called for those that no image and no running pull needs.
	Layers []string
	Drop   func(chainID string) error
	// Alone says that nobody else uses the store: what is half-written is from a
	// process that died.
	Alone bool
}

// Sweep removes what no image needs: what interrupted pulls have left. It does
// not disturb a pull that runs.
func (s *Store) Sweep(o SweepOptions) error {
	_, err := locked(s, func() ([]string, error) { return s.collect(o) })
	return err
}

// collect removes the files of blobs, whole or still arriving, that no image and
// no lease needs, and drops those layers. The store must be locked.
func (s *Store) collect(o SweepOptions) (dropped []string, err error) {
	needed, err := s.needed()
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{blobsDir, ingestDir} {
		entries, err := os.ReadDir(s.path(dir))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if needed["sha256:"+e.Name()] || !o.Alone && beingWritten(e) {
				continue
			}
			if err := os.RemoveAll(s.path(filepath.Join(dir, e.Name()))); err != nil {
				return nil, err
			}
		}
	}
	return o.drop(func(id string) bool { return needed[id] })
}

// beingWritten tells whether a file is a temporary one of somebody who may still live.
func beingWritten(e os.DirEntry) bool {
	info, err := e.Info()
	return err != nil || strings.HasPrefix(e.Name(), temporary) && time.Since(info.ModTime()) < slowest
}

// needed is everything that an image or a lease refers to.
func (s *Store) needed() (map[string]bool, error) {
	needed, err := s.leased()
	now, err2 := s.current()
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	for _, d := range now.index.Manifests {
		needed[d.Digest.String()] = true
	}
	for _, img := range now.images {
		if img.err != nil && !absent(img.err) { // it may need anything
			return nil, img.err
		}
		for _, digest := range img.needs() {
			needed[digest] = true
		}
	}
	return needed, nil
}

// drop goes through the layers until none can be dropped: each stands on others.
func (o SweepOptions) drop(needed func(id string) bool) (dropped []string, err error) {
	left := slices.DeleteFunc(slices.Clone(o.Layers), needed)
	if o.Drop == nil {
		return left, nil
	}
	for more := true; more && err == nil; {
		more = false
		left = slices.DeleteFunc(left, func(id string) bool {
			failed := o.Drop(id)
			switch {
			case failed == nil:
				dropped, more = append(dropped, id), true
			case !errors.Is(failed, ErrConflict):
				err = errors.Join(err, fmt.Errorf("remove layer %s: %w", id, failed))
			}
			return failed == nil
		})
	}
	return dropped, err
}
