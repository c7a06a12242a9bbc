package images

import (
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Annotations of the descriptors in index.json. One descriptor is one name of
// an image: a tag, or the digest under which a registry knows it.
const (
	nameAnnotation = "io.containerd.image.name"          // canonical; containerd's and Docker's
	refAnnotation  = "org.opencontainers.image.ref.name" // familiar; what follows "oci:DIR:" in skopeo
)

// nameOf is the reference that a descriptor of index.json gives its image.
func nameOf(d v1.Descriptor) (Reference, bool) {
	for _, key := range []string{nameAnnotation, refAnnotation} {
		if ref, err := ParseReference(d.Annotations[key]); err == nil {
			return ref, true
		}
	}
	return Reference{}, false
}

// keep makes sure that index.json has the image, with or without a name.
func keep(index *v1.IndexManifest, d v1.Descriptor) {
	if !slices.ContainsFunc(index.Manifests, func(o v1.Descriptor) bool { return o.Digest == d.Digest }) {
		d.Annotations = nil
		index.Manifests = append(index.Manifests, d)
	}
}

// setName makes ref a name of the image d. The image that had it before stays,
// nameless if that was its last name: a container may run from it.
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
			keep(index, d)
			return
		}
	}
}

// Tag gives the image that ref finds another name, which may have been
// another image's before.
func (s *Store) Tag(ref, name string) error {
	target, err := parseTag(name)
	if err != nil {
		return err
	}
	return s.update(func(index *v1.IndexManifest) error {
		img, err := s.Get(ref)
		if err != nil {
			return err
		}
		setName(index, img.desc, target)
		return nil
	})
}

// parseTag reads a name that an image is to get: a digest cannot be given, it
// follows from the content.
func parseTag(name string) (Reference, error) {
	ref, err := ParseReference(name)
	if err == nil && ref.Digest != "" {
		err = fmt.Errorf("%w: refusing to create a tag with a digest reference", ErrReference)
	}
	return ref, err
}

// call gives an image that is not in the store yet one more name, unless it is "".
func (i *Image) call(name string) error {
	if name == "" {
		return nil
	}
	ref, err := parseTag(name)
	i.addName(ref)
	return err
}
