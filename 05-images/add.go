package images

import (
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Add puts an image that was made here into the store, names it unless name is
// "", and unpacks it unless u is nil. Blobs that are there are not read again.
func (s *Store) Add(img v1.Image, name string, u Unpacker) (Image, error) {
	added, err := s.addImage(img, name, u)
	if err != nil {
		return Image{}, fmt.Errorf("add image %s: %w", name, err)
	}
	return added, nil
}

func (s *Store) addImage(from v1.Image, name string, u Unpacker) (img Image, err error) {
	manifest, err := from.RawManifest()
	if err == nil {
		img, err = resolve(manifest, v1.Platform{}, func(string, v1.Descriptor) ([]byte, error) { return from.RawConfigFile() })
	}
	if err := errors.Join(err, img.call(name)); err != nil {
		return img, err
	}
	return s.add(addition{Image: img, unpack: u, open: func(l Layer) (io.ReadCloser, error) {
		layer, err := from.LayerByDigest(hashOf(l.Digest))
		if err != nil {
			return nil, err
		}
		return layer.Compressed()
	}})
}

// addition is an image from anywhere but a registry.
type addition struct {
	Image
	open   func(Layer) (io.ReadCloser, error) // its blob
	unpack Unpacker                           // nil: none
	report *reporter                          // nil: nobody is told
}

func (s *Store) add(a addition) (Image, error) {
	release, err := s.lease(a.needs())
	if err != nil {
		return Image{}, err
	}
	defer release()
	for _, l := range a.Layers {
		if s.hasBlob(l.Digest, l.Size) {
			continue
		}
		blob, err := a.open(l)
		if err != nil {
			return Image{}, err
		}
		err = s.copyBlob(l.Digest, a.counted(l, blob))
		blob.Close()
		if err != nil {
			return Image{}, err
		}
	}
	if a.unpack != nil {
		if err := s.Unpack(a.Image, a.unpack); err != nil {
			return Image{}, err
		}
	}
	return s.enter(a.Image)
}

// counted tells how much of a layer has been read.
func (a addition) counted(l Layer, blob io.Reader) io.Reader {
	if a.report == nil {
		return blob
	}
	return counted(blob, func(n int64) {
		a.report.report(Progress{ID: short(l.Digest), Status: "Loading layer", Current: n, Total: l.Size})
	})
}
