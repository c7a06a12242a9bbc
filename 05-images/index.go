package images

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Errors of [Store.Get] and of all that looks an image up with it.
var (
	ErrNotFound  = errors.New("no such image")
	ErrAmbiguous = errors.New("ambiguous image ID")
)

var shortIDRE = lazily(`^(?:sha256:)?[0-9a-f]{1,64}$`)

// view is what index.json says. Once made it does not change.
type view struct {
	file   os.FileInfo // of the index.json: each version is a new file
	index  v1.IndexManifest
	images []Image // for each name one; those with an err are not there, whatever their names say
}

// current returns the view of the index.json that is there. The cost is one
// stat(2), unless the file is another one.
func (s *Store) current() (*view, error) {
	file, err := os.Stat(s.path(indexFile))
	if err != nil {
		return nil, err
	}
	old := s.view.Load()
	if old != nil && os.SameFile(old.file, file) && old.file.ModTime().Equal(file.ModTime()) {
		return old, nil
	}
	v := &view{file: file}
	if v.index, err = s.readIndex(); err != nil {
		return nil, err
	}
	for _, d := range v.index.Manifests {
		img, err := s.load(d)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			img = Image{err: fmt.Errorf("image %s: %w", d.Annotations[refAnnotation], err)} // the others are well
		}
		if ref, ok := nameOf(d); ok {
			img.addName(ref)
		}
		v.images = append(v.images, img)
	}
	s.view.Store(v)
	return v, nil
}

// named gives an image all names that its ID has, in order. Its manifest stays: the layers
// of one ID may be packed in several ways.
func (v *view) named(img Image) Image {
	var refs []Reference
	for _, other := range v.images {
		if other.ID == img.ID {
			refs = append(refs, other.refs...)
		}
	}
	slices.SortFunc(refs, func(a, b Reference) int { return strings.Compare(a.String(), b.String()) })
	img.refs, img.Names, img.Digests = nil, nil, nil
	for _, ref := range refs {
		img.addName(ref)
	}
	return img
}

func (i *Image) addName(ref Reference) {
	i.refs = append(i.refs, ref)
	if ref.Digest != "" {
		i.Digests = append(i.Digests, ref.Familiar())
	} else {
		i.Names = append(i.Names, ref.Familiar())
	}
}

// key is the reference under which an image is entered: with a digest, the tag is but a remark.
func (r Reference) key() Reference {
	if r.Digest != "" {
		r.Tag = ""
	}
	return r
}

// Get finds an image by its name ("alpine", "alpine:3.20"), by name and digest,
// or by its ID or the beginning of it, in this order, as Docker does. The
// error wraps [ErrNotFound], [ErrAmbiguous] or [ErrReference].
func (s *Store) Get(ref string) (found Image, err error) {
	now, err := s.current()
	if err != nil {
		return found, err
	}
	name, err := ParseReference(ref)
	isID := shortIDRE(ref)
	switch {
	case err == nil:
		for _, img := range now.images {
			if slices.Contains(img.refs, name.key()) {
				return now.named(img), img.err
			}
		}
		err = fmt.Errorf("%w: %s", ErrNotFound, name.Familiar())
	case isID:
		err = fmt.Errorf("%w: %s", ErrNotFound, ref)
	}
	for _, img := range now.images {
		if !isID || img.ID == found.ID || !strings.HasPrefix(img.ID, "sha256:"+strings.TrimPrefix(ref, "sha256:")) {
			continue
		}
		if found.ID != "" {
			return Image{}, fmt.Errorf("%w: %s", ErrAmbiguous, ref)
		}
		found, err = now.named(img), nil
	}
	return found, err
}

// Hold finds an image as [Store.Get] does, and calls hold while nobody can
// remove it: whoever asks [RemoveOptions.InUse] comes before, or hears of it.
func (s *Store) Hold(ref string, hold func(id string)) (Image, error) {
	return locked(s, func() (Image, error) {
		img, err := s.Get(ref)
		if err == nil {
			hold(img.ID)
		}
		return img, err
	})
}

// List returns all images, the newest first.
func (s *Store) List() (list []Image, err error) {
	now, err := s.current()
	if err != nil {
		return nil, err
	}
	for _, img := range now.images {
		if img.err == nil && !slices.ContainsFunc(list, func(have Image) bool { return have.ID == img.ID }) {
			list = append(list, now.named(img))
		}
	}
	slices.SortFunc(list, func(a, b Image) int {
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(a.ID, b.ID))
	})
	return list, nil
}

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
	if err == nil && (ref.Digest != "" || ref.FamiliarName() == "sha256") { // sha256:1 might be an ID
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
