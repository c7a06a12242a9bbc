package images

import (
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

// view is index.json with the images that it names, ready to be asked. Once
// made it does not change.
type view struct {
	file   os.FileInfo       // of the index.json: each version is a new file
	names  map[string]string // canonical reference → image ID
	images map[string]Image  // by ID
	broken map[string]error  // canonical reference → what is wrong with the image
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
	index, err := s.readIndex()
	if err != nil {
		return nil, err
	}
	v := &view{file: file, names: map[string]string{}, images: map[string]Image{}, broken: map[string]error{}}
	for _, d := range index.Manifests {
		if img, err := s.load(d); err == nil {
			v.add(d, img)
		} else if ref, ok := nameOf(d); ok && !errors.Is(err, os.ErrNotExist) {
			v.broken[ref.String()] = err // the others are well
		}
	}
	s.view.Store(v)
	return v, nil
}

func (v *view) add(d v1.Descriptor, img Image) {
	if have, ok := v.images[img.ID]; ok {
		img = have
	}
	if ref, ok := nameOf(d); ok {
		v.names[ref.String()] = img.ID
		img.refs = append(img.refs, ref)
		if ref.Digest != "" {
			img.Digests = append(img.Digests, ref.Familiar())
		} else {
			img.Names = append(img.Names, ref.Familiar())
		}
	}
	v.images[img.ID] = img
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
		key := parsed.key().String()
		if id, ok := v.names[key]; ok {
			return v.images[id], nil
		}
		if err := v.broken[key]; err != nil {
			return Image{}, fmt.Errorf("image %s: %w", parsed.Familiar(), err)
		}
	}
	img, err := v.byID(ref)
	switch {
	case err == nil || errors.Is(err, ErrAmbiguous):
		return img, err
	case parseErr == nil:
		return img, fmt.Errorf("%w: %s", ErrNotFound, parsed.Familiar())
	case shortIDRE(ref):
		return img, fmt.Errorf("%w: %s", ErrNotFound, ref)
	}
	return img, parseErr
}

// key is the reference under which an image is entered: with a digest, the tag is but a remark.
func (r Reference) key() Reference {
	if r.Digest != "" {
		r.Tag = ""
	}
	return r
}

func (v *view) byID(prefix string) (found Image, err error) {
	want := "sha256:" + strings.TrimPrefix(prefix, "sha256:")
	if err = ErrNotFound; !shortIDRE(prefix) {
		return found, err
	}
	for id, img := range v.images {
		if !strings.HasPrefix(id, want) {
			continue
		}
		if err == nil {
			return Image{}, fmt.Errorf("%w: %s", ErrAmbiguous, prefix)
		}
		found, err = img, nil
	}
	return found, err
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
	slices.SortFunc(list, func(a, b Image) int {
		if !a.Created.Equal(b.Created) {
			return b.Created.Compare(a.Created)
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list, nil
}
