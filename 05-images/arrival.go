package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
)

const jobs = 3 // layers that are moved at once; Docker's max-concurrent-downloads

// arrival is an image on its way into the store: from a registry, from an
// archive, or made here.
type arrival struct {
	*Store
	*reporter
	Image           // with the names that it is to get
	unpack Unpacker // gets the layers while they arrive; nil: blobs are only stored
	// blob opens a layer's blob where it comes from, at the byte at.
	blob func(ctx context.Context, l Layer, at int64) (io.ReadCloser, error)
}

// run brings what is missing, and makes the image known when all is there. What
// it needs is not removed meanwhile.
func (a *arrival) run(ctx context.Context) (Image, error) {
	release, err := a.lease(a.needs())
	if err != nil {
		return Image{}, err
	}
	defer release()
	if err := a.layers(ctx); err != nil {
		return Image{}, err
	}
	return a.enter(a.Image)
}

// layers brings the layers that are missing into the store and to the Unpacker.
// Downloads run side by side; each layer is unpacked while it arrives, but
// not before the one below it is complete.
//
//	layer 3   ↓↓↓↓↓↓↓↓↓↓↓↓↓↓        (unpack)
//	layer 2   ↓↓↓↓↓↓↓↓↓  (unpack→→→→→)
//	layer 1   ↓↓↓↓↓↓↓↓↓↓↓↓↓
//	           (unpack→→→)
func (a *arrival) layers(ctx context.Context) error {
	var downloads []*download
	for _, l := range a.Layers {
		if a.hasBlob(l.Digest, l.Size) && (a.unpack == nil || a.unpack.Has(l.ChainID)) {
			a.tell(l, "Already exists", 0)
			continue
		}
		a.tell(l, "Pulling fs layer", 0)
		downloads = append(downloads, &download{arrival: a, layer: l, changed: sync.NewCond(&sync.Mutex{})})
	}
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(jobs)
		for _, d := range downloads {
			group.Go(func() error { return d.run(ctx) })
		}
		return group.Wait()
	})
	both.Go(func() error {
		for _, d := range downloads {
			if err := d.finish(ctx); err != nil {
				return err
			}
			a.tell(d.layer, "Pull complete", 0)
		}
		return nil
	})
	err := both.Wait()
	for _, d := range downloads {
		d.file.Close() // nobody reads any more
	}
	return err
}

// Add puts an image that was made here into the store, names it unless name is
// "", and unpacks it unless u is nil. Blobs that are there are not read again.
func (s *Store) Add(img v1.Image, name string, u Unpacker) (Image, error) {
	a := arrival{Store: s, reporter: newReporter(nil), unpack: u, blob: from(func(l Layer) (io.ReadCloser, error) {
		layer, err := img.LayerByDigest(hashOf(l.Digest))
		if err != nil {
			return nil, err
		}
		return layer.Compressed()
	})}
	manifest, err := img.RawManifest()
	if err == nil {
		a.Image, err = resolve(manifest, v1.Platform{}, func(string, v1.Descriptor) ([]byte, error) { return img.RawConfigFile() })
	}
	added := Image{}
	if err = errors.Join(err, a.call(name)); err == nil {
		added, err = a.run(context.Background())
	}
	if err != nil {
		return Image{}, fmt.Errorf("add image %s: %w", name, err)
	}
	return added, nil
}

// from makes of what opens blobs at their beginning what an arrival needs.
func from(open func(Layer) (io.ReadCloser, error)) func(context.Context, Layer, int64) (io.ReadCloser, error) {
	return func(_ context.Context, l Layer, at int64) (io.ReadCloser, error) {
		blob, err := open(l)
		if err != nil {
			return nil, err
		}
		if _, err := io.CopyN(io.Discard, blob, at); err != nil && !errors.Is(err, io.EOF) { // if it ends before, the digest will be wrong
			return nil, errors.Join(err, blob.Close())
		}
		return blob, nil
	}
}
