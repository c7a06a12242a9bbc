package images

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	// InUse names a container made from the image with this ID, a running one
	// if there is any; "" if there is none. Nil: no container anywhere.
	InUse func(imageID string) (container string, running bool)
	// Drop frees the unpacked layer that no image needs any more. It is called
	// under the store's lock, so that no pull can begin to rely on the layer
	// at that moment. Nil: layers are only reported.
	Drop func(chainID string) error
}

// Removed is one line of what [Store.Remove] did: a name that is gone, or the
// ID of an image or the ChainID of a layer.
type Removed struct{ Untagged, Deleted string }

// Remove takes away a name and, with its last name, the image; a ref that is
// an ID takes away the image with all its names. Blobs that are needed by no
// image and no running pull are deleted. The rules, when it is a conflict, are
// those of `docker rmi` (moby, daemon/images/image_delete.go).
func (s *Store) Remove(ref string, o RemoveOptions) ([]Removed, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	v, err := s.current()
	if err != nil {
		return nil, err
	}
	img, err := v.get(ref)
	if err != nil {
		return nil, err
	}
	names, whole, err := o.decide(img, ref)
	if err != nil {
		return nil, err
	}
	return s.remove(img, names, removal{o, whole})
}

type removal struct {
	RemoveOptions
	whole bool // the image too, not only the names
}

func (s *Store) remove(img Image, names []string, r removal) (done []Removed, err error) {
	index, err := s.readIndex()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		ref, err := ParseReference(name)
		if err != nil {
			return nil, err
		}
		dropName(&index, ref)
		done = append(done, Removed{Untagged: name})
	}
	if r.whole {
		index.Manifests = slices.DeleteFunc(index.Manifests, func(d v1.Descriptor) bool {
			have, err := s.image(d)
			return err == nil && have.ID == img.ID
		})
		done = append(done, Removed{Deleted: img.ID})
	}
	if err := s.writeIndex(index); err != nil || !r.whole {
		return done, err
	}
	dropped, err := s.sweep(img, r.Drop)
	return append(done, dropped...), err
}

// decide applies Docker's rules: which names go, and whether the image does.
func (o RemoveOptions) decide(img Image, ref string) (names []string, whole bool, err error) {
	container, running := "", false
	if o.InUse != nil {
		container, running = o.InUse(img.ID)
	}
	all := append(slices.Clone(img.Names), img.Digests...)
	single := len(img.Names) <= 1 && oneRepository(all)
	short := strings.TrimPrefix(img.ID, "sha256:")[:12]
	name, byName := namedBy(img, ref)
	switch {
	case byName && !single:
		return withDigests(img, name), false, nil
	case byName && container != "" && !o.Force:
		return nil, false, fmt.Errorf("%w: unable to remove repository reference %q (must force) - container %s is using its referenced image %s", ErrConflict, name, container, short)
	case byName && running:
		return all, false, nil // the image stays, nameless
	case running:
		return nil, false, fmt.Errorf("%w: unable to delete %s (cannot be forced) - image is being used by running container %s", ErrConflict, short, container)
	case container != "" && !o.Force:
		return nil, false, fmt.Errorf("%w: unable to delete %s (must be forced) - image is being used by stopped container %s", ErrConflict, short, container)
	case !single && !o.Force:
		return nil, false, fmt.Errorf("%w: unable to delete %s (must be forced) - image is referenced in multiple repositories", ErrConflict, short)
	}
	return all, true, nil
}

func namedBy(img Image, ref string) (name string, ok bool) {
	parsed, err := ParseReference(ref)
	if err != nil {
		return "", false
	}
	if parsed.Digest != "" {
		parsed.Tag = ""
	}
	name = parsed.Familiar()
	return name, slices.Contains(img.Names, name) || slices.Contains(img.Digests, name)
}

func repository(name string) string {
	ref, _ := ParseReference(name) // it came from a Reference
	return ref.Name()
}

func oneRepository(names []string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return repository(n) != repository(names[0]) })
}

// withDigests adds the digests of name's repository if no tag of it is left.
func withDigests(img Image, name string) []string {
	gone := []string{name}
	sameRepo := func(n string) bool { return n != name && repository(n) == repository(name) }
	if !slices.ContainsFunc(img.Names, sameRepo) {
		for _, d := range img.Digests {
			if sameRepo(d) {
				gone = append(gone, d)
			}
		}
	}
	return gone
}

// sweep removes the layers of an image that is gone, the highest first, and
// all blobs, if neither an image nor a lease needs them. The store must be locked.
func (s *Store) sweep(gone Image, drop func(chainID string) error) (done []Removed, err error) {
	needed, err := s.needed()
	if err != nil {
		return nil, err
	}
	for _, l := range slices.Backward(gone.Layers) {
		if needed[l.ChainID] {
			continue
		}
		if drop != nil {
			if err := drop(l.ChainID); err != nil {
				return done, fmt.Errorf("remove layer %s: %w", l.ChainID, err)
			}
		}
		done = append(done, Removed{Deleted: l.ChainID})
	}
	return done, s.sweepBlobs(needed)
}

// needed is everything that an image or a lease refers to.
func (s *Store) needed() (map[string]bool, error) {
	needed, err := s.leased()
	if err != nil {
		return nil, err
	}
	index, err := s.readIndex()
	if err != nil {
		return nil, err
	}
	for _, d := range index.Manifests {
		needed[d.Digest.String()] = true
		if ref, ok := nameOf(d); ok && ref.Digest != "" {
			needed[ref.Digest] = true // the index that the image was chosen from
		}
		img, err := s.image(d)
		if err != nil && !absent(err) && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		needed[img.Manifest], needed[img.ID] = true, true
		for _, l := range img.Layers {
			needed[l.Digest], needed[l.ChainID] = true, true
		}
	}
	return needed, nil
}

// sweepBlobs removes files of blobs, whole or still arriving.
func (s *Store) sweepBlobs(needed map[string]bool) error {
	for _, dir := range []string{blobsDir, ingestDir} {
		entries, err := os.ReadDir(s.path(dir))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if needed["sha256:"+e.Name()] || strings.HasPrefix(e.Name(), ".tmp-") {
				continue
			}
			if err := os.Remove(filepath.Join(s.path(dir), e.Name())); err != nil && !absent(err) {
				return err
			}
		}
	}
	return nil
}

// Sweep removes what no image needs: what interrupted pulls have left, for
// one. A pull that runs at this time loses nothing.
func (s *Store) Sweep() error {
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	_, err = s.sweep(Image{}, nil)
	return err
}
