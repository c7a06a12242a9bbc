package images

import (
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Rename gives an image the repository to, in its tag and its digest, instead of from.
func Rename(s *Store, from, to string) error {
	img, err := s.Get(from)
	if err != nil {
		return err
	}
	target, err := ParseReference(to)
	if err != nil {
		return err
	}
	return s.update(func(index *v1.IndexManifest) error {
		for _, old := range append(img.Names, img.Digests...) {
			ref, err := ParseReference(old)
			if err != nil {
				return err
			}
			d := index.Manifests[0]
			for _, d = range index.Manifests {
				if d.Digest.String() == img.Manifest {
					break
				}
			}
			dropName(index, ref)
			ref.Domain, ref.Path = target.Domain, target.Path
			setName(index, d, ref)
		}
		return nil
	})
}

// SetSilence makes a silent registry be given up sooner.
func SetSilence(d time.Duration) (restore func()) {
	old := silence
	silence = d
	return func() { silence = old }
}

// LeakLease leaves the lease of a process that died.
func LeakLease(s *Store, digest string) error {
	return os.WriteFile(s.path(leaseDir+"/"+temporary+"dead"), []byte(`["`+digest+`"]`), 0o644)
}

// ParseAndEnter enters an image with these documents into a new store.
func ParseAndEnter(dir string, manifest, config []byte) (*Store, error) {
	img, err := resolve(manifest, v1.Platform{}, func(string, v1.Descriptor) ([]byte, error) { return config, nil })
	if err != nil {
		return nil, err
	}
	s, err := OpenStore(dir)
	if err != nil {
		return nil, err
	}
	_, err = s.enter(img)
	return s, err
}

// UnpackFrom unpacks a layer that is read from blob.
func UnpackFrom(l Layer, blob io.Reader, u Unpacker) error { return l.unpack(io.NopCloser(blob), u) }
