package images

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Errors of [Store.Get] and of all that looks an image up with it.
var (
	ErrNotFound  = errors.New("no such image")
	ErrAmbiguous = errors.New("ambiguous image ID")
)

var shortIDRE = regexp.MustCompile(`^(?:sha256:)?[0-9a-f]{1,64}$`)

// view is index.json with the images that it names, as maps.
type view struct {
	stamp  stamp
	names  map[string]string // canonical reference → image ID
	images map[string]Image  // by ID
}

// current returns the view of the index.json that is there. The cost is one
// stat(2), unless the file has changed.
func (s *Store) current() (*view, error) {
	stamp, err := s.stamp()
	if err != nil {
		return nil, err
	}
	old := s.view.Load()
	if old != nil && old.stamp == stamp {
		return old, nil
	}
	index, err := s.readIndex()
	if err != nil {
		return nil, err
	}
	v := &view{stamp: stamp, names: map[string]string{}, images: map[string]Image{}}
	known := old.byManifest()
	for _, d := range index.Manifests {
		img, ok := known[d.Digest.String()]
		if !ok {
			if img, err = s.image(d); absent(err) || errors.Is(err, ErrNotFound) {
				continue // its blobs, or those for this platform, are elsewhere: not an image here
			} else if err != nil {
				return nil, err
			}
		}
		v.add(d, img)
	}
	s.view.Store(v)
	return v, nil
}

// byManifest finds images without their names: what is in a manifest and a
// config never changes.
func (v *view) byManifest() map[string]Image {
	known := map[string]Image{}
	if v != nil {
		for _, img := range v.images {
			img.Names, img.Digests = nil, nil
			known[img.Manifest] = img
		}
	}
	return known
}

func (v *view) add(d v1.Descriptor, img Image) {
	if have, ok := v.images[img.ID]; ok {
		img = have
	}
	if ref, ok := nameOf(d); ok {
		v.names[ref.String()] = img.ID
		if ref.Digest != "" {
			img.Digests = append(img.Digests, ref.Familiar())
		} else {
			img.Names = append(img.Names, ref.Familiar())
		}
	}
	v.images[img.ID] = img
}

// nameOf is the reference that a descriptor of index.json gives its image.
func nameOf(d v1.Descriptor) (Reference, bool) {
	for _, key := range []string{nameAnnotation, refAnnotation} {
		if ref, err := ParseReference(d.Annotations[key]); err == nil {
			return ref, true
		}
	}
	return Reference{}, false
}

// Get finds an image by its name ("alpine", "alpine:3.20"), by name and digest,
// or by its ID or the beginning of it, in this order, as Docker does. The
// error wraps [ErrNotFound], [ErrAmbiguous] or [ErrReference].
func (s *Store) Get(ref string) (Image, error) {
	v, err := s.current()
	if err != nil {
		return Image{}, err
	}
	return v.get(ref)
}

func (v *view) get(ref string) (Image, error) {
	parsed, parseErr := ParseReference(ref)
	if parseErr == nil {
		if parsed.Digest != "" {
			parsed.Tag = "" // with a digest, the tag is but a remark
		}
		if id, ok := v.names[parsed.String()]; ok {
			return v.images[id], nil
		}
	}
	if shortIDRE.MatchString(ref) {
		return v.byID(ref)
	}
	if parseErr != nil {
		return Image{}, parseErr
	}
	return Image{}, fmt.Errorf("%w: %s", ErrNotFound, parsed.Familiar())
}

func (v *view) byID(prefix string) (found Image, err error) {
	want := "sha256:" + strings.TrimPrefix(prefix, "sha256:")
	for id, img := range v.images {
		if strings.HasPrefix(id, want) {
			if found.ID != "" {
				return Image{}, fmt.Errorf("%w: %s", ErrAmbiguous, prefix)
			}
			found = img
		}
	}
	if found.ID == "" {
		return Image{}, fmt.Errorf("%w: %s", ErrNotFound, prefix)
	}
	return found, nil
}

// List returns all images, the newest first.
func (s *Store) List() ([]Image, error) {
	v, err := s.current()
	if err != nil {
		return nil, err
	}
	list := make([]Image, 0, len(v.images))
	for _, img := range v.images {
		list = append(list, img)
	}
	sort.Slice(list, func(i, j int) bool {
		if !list[i].Created.Equal(list[j].Created) {
			return list[i].Created.After(list[j].Created)
		}
		return list[i].ID < list[j].ID
	})
	return list, nil
}

// Tag gives the image that ref finds another name, which may have belonged to
// another image before.
func (s *Store) Tag(ref, name string) error {
	img, err := s.Get(ref)
	if err != nil {
		return err
	}
	target, err := ParseReference(name)
	if err != nil {
		return err
	}
	if target.Digest != "" {
		return fmt.Errorf("%w: refusing to create a tag with a digest reference", ErrReference)
	}
	return s.update(func(index *v1.IndexManifest) error {
		from := slices.IndexFunc(index.Manifests, func(d v1.Descriptor) bool { return d.Digest.String() == img.Manifest })
		if from < 0 {
			return fmt.Errorf("%w: %s", ErrNotFound, ref)
		}
		setName(index, index.Manifests[from], target)
		return nil
	})
}

// setName makes ref a name of the image d. An image that loses its last name
// so stays, nameless: a container may run from it.
func setName(index *v1.IndexManifest, d v1.Descriptor, ref Reference) {
	dropName(index, ref)
	d.Annotations = map[string]string{nameAnnotation: ref.String(), refAnnotation: ref.Familiar()}
	index.Manifests = slices.DeleteFunc(index.Manifests, func(o v1.Descriptor) bool {
		_, named := nameOf(o)
		return o.Digest == d.Digest && !named
	})
	index.Manifests = append(index.Manifests, d)
}

func dropName(index *v1.IndexManifest, ref Reference) {
	for i, d := range index.Manifests {
		if have, ok := nameOf(d); ok && have == ref {
			index.Manifests = slices.Delete(index.Manifests, i, i+1)
			if !slices.ContainsFunc(index.Manifests, func(o v1.Descriptor) bool { return o.Digest == d.Digest }) {
				d.Annotations = nil
				index.Manifests = append(index.Manifests, d)
			}
			return
		}
	}
}
