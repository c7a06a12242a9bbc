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
	stored []Image // for each descriptor one; those with an err are not there, whatever their names say
	images []Image // for each ID one, with all its names, the newest first
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
		v.stored = append(v.stored, img)
	}
	v.group()
	s.view.Store(v)
	return v, nil
}

// group puts together what has one ID: names, and other ways to pack the layers.
func (v *view) group() {
	for _, img := range v.stored {
		i := slices.IndexFunc(v.images, func(have Image) bool { return have.ID == img.ID })
		switch {
		case img.err != nil:
		case i < 0:
			v.images = append(v.images, img)
		default:
			for _, ref := range img.refs {
				v.images[i].addName(ref)
			}
		}
	}
	slices.SortFunc(v.images, func(a, b Image) int {
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(a.ID, b.ID))
	})
}

// named gives an image all names that its ID has.
func (v *view) named(img Image) Image {
	for _, all := range v.images {
		if all.ID == img.ID {
			img.refs, img.Names, img.Digests = all.refs, all.Names, all.Digests
		}
	}
	return img
}

func (i *Image) addName(ref Reference) {
	i.refs = append(slices.Clip(i.refs), ref)
	if ref.Digest != "" {
		i.Digests = append(slices.Clip(i.Digests), ref.Familiar())
	} else {
		i.Names = append(slices.Clip(i.Names), ref.Familiar())
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
		for _, img := range now.stored {
			if slices.Contains(img.refs, name.key()) {
				return now.named(img), img.err
			}
		}
		err = fmt.Errorf("%w: %s", ErrNotFound, name.Familiar())
	case isID:
		err = fmt.Errorf("%w: %s", ErrNotFound, ref)
	}
	for _, img := range now.images {
		if !isID || !strings.HasPrefix(img.ID, "sha256:"+strings.TrimPrefix(ref, "sha256:")) {
			continue
		}
		if found.ID != "" {
			return Image{}, fmt.Errorf("%w: %s", ErrAmbiguous, ref)
		}
		found, err = img, nil
	}
	return found, err
}

// List returns all images, the newest first.
func (s *Store) List() ([]Image, error) {
	now, err := s.current()
	if err != nil {
		return nil, err
	}
	return slices.Clone(now.images), nil
}
