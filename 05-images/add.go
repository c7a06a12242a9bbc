package images

import (
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
)

// Add puts an image that was made here into the store, names it unless name is
// "", and unpacks it unless u is nil.
func (s *Store) Add(img v1.Image, name string, u Unpacker) (Image, error) {
	added, err := s.add(img, name, u)
	if err != nil {
		return Image{}, fmt.Errorf("add image %s: %w", name, err)
	}
	return added, nil
}

func (s *Store) add(img v1.Image, name string, u Unpacker) (Image, error) {
	desc, err := partial.Descriptor(img)
	if err != nil {
		return Image{}, err
	}
	raw, err := img.RawManifest()
	if err != nil {
		return Image{}, err
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return Image{}, err
	}
	added, err := newImage(desc.Digest.String(), raw, config)
	if err != nil {
		return Image{}, err
	}
	needs := []string{added.ID, added.Manifest}
	for _, l := range added.Layers {
		needs = append(needs, l.Digest, l.ChainID)
	}
	lease, err := s.lease(needs)
	if err != nil {
		return Image{}, err
	}
	defer lease.release()
	if err := s.addLayers(img, added); err != nil {
		return Image{}, err
	}
	if err := s.putBlob(added.ID, config); err != nil {
		return Image{}, err
	}
	if err := s.putBlob(added.Manifest, raw); err != nil {
		return Image{}, err
	}
	if u != nil {
		if err := s.Unpack(added, u); err != nil {
			return Image{}, err
		}
	}
	desc.Platform = &v1.Platform{OS: added.Config.OS, Architecture: added.Config.Architecture, Variant: added.Config.Variant}
	return s.record(*desc, name, added.ID)
}

func (s *Store) addLayers(img v1.Image, added Image) error {
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for i, l := range layers {
		want := added.Layers[i]
		if s.hasBlob(want.Digest, want.Size) {
			continue
		}
		blob, err := l.Compressed()
		if err != nil {
			return err
		}
		_, err = s.copyBlob(want.Digest, blob)
		blob.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// record enters an image whose blobs are all there into index.json.
func (s *Store) record(d v1.Descriptor, name, id string) (Image, error) {
	d.Annotations = nil
	err := s.update(func(index *v1.IndexManifest) error {
		if name != "" {
			ref, err := ParseReference(name)
			if err != nil {
				return err
			}
			setName(index, d, ref)
			return nil
		}
		for _, have := range index.Manifests {
			if have.Digest == d.Digest {
				return nil
			}
		}
		index.Manifests = append(index.Manifests, d)
		return nil
	})
	if err != nil {
		return Image{}, err
	}
	return s.Get(id)
}
