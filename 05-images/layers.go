package images

import (
	"context"
	"errors"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
)

// layers brings the layers that are missing into the store and to the Unpacker.
// Downloads run side by side; each layer is unpacked while it arrives, but
// not before the one below it is complete.
//
//	layer 3   ↓↓↓↓↓↓↓↓↓↓↓        (unpack)
//	layer 2   ↓↓↓↓↓↓   (unpack→→→→)
//	layer 1   ↓↓↓↓↓↓↓↓↓
//	          (unpack→→→)
func (p *pull) layers(ctx context.Context, img Image) error {
	group, ctx := errgroup.WithContext(ctx)
	slots := make(chan struct{}, p.o.jobs())
	downloads := map[string]*download{} // an image may have one layer twice
	below := make(chan struct{})
	close(below)
	parent := ""
	for _, l := range img.Layers {
		step := &layerPull{pull: p, Layer: l, parent: parent, below: below, unpacked: make(chan struct{})}
		parent, below = l.ChainID, step.unpacked
		stored := p.hasBlob(l.Digest, l.Size)
		if stored && (p.o.Unpack == nil || p.o.Unpack.Has(l.ChainID)) {
			step.tell(StatusExists, 0)
			close(step.unpacked)
			continue
		}
		step.tell(StatusPulling, 0)
		if step.download = downloads[l.Digest]; step.download == nil && !stored {
			step.download = p.newDownload(l, slots)
			step.download.notify = step.tell
			downloads[l.Digest] = step.download
			group.Go(func() error { return step.download.run(ctx, p.session) })
		}
		group.Go(func() error { return step.unpack(ctx) })
	}
	err := group.Wait()
	for _, d := range downloads {
		d.close()
	}
	return err
}

func (o PullOptions) jobs() int {
	if o.Jobs > 0 {
		return o.Jobs
	}
	return defaultJobs
}

func (s *Store) newDownload(l Layer, slots chan struct{}) *download {
	hash, _ := v1.NewHash(l.Digest) // it came from a v1.Hash
	d := &download{store: s, blob: v1.Descriptor{Digest: hash, Size: l.Size}, slots: slots}
	d.changed.L = &d.mu
	return d
}

// layerPull is one layer of a pull.
type layerPull struct {
	*pull
	Layer
	parent   string        // ChainID of what is below
	below    chan struct{} // closed when that is unpacked
	unpacked chan struct{} // closed when this layer is
	download *download     // nil: the blob was in the store
}

func (l *layerPull) tell(status string, current int64) {
	event := Progress{ID: short(l.Digest), Status: status}
	if status == StatusDownloading || status == StatusExtracting {
		event.Current, event.Total = current, l.Size
	}
	l.report(event)
}

func (l *layerPull) unpack(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.below:
	}
	blob, err := l.open()
	if err != nil {
		return err
	}
	defer blob.Close()
	if l.o.Unpack == nil {
		_, err = io.Copy(io.Discard, blob) // the download's verdict is at the end
	} else if !l.o.Unpack.Has(l.ChainID) {
		err = l.Layer.unpack(blob, l.parent, l.o.Unpack)
	}
	if err != nil {
		return errors.Join(ctx.Err(), err)
	}
	l.tell(StatusPulled, 0)
	close(l.unpacked)
	return nil
}

func (l *layerPull) open() (io.ReadCloser, error) {
	if l.download == nil {
		return os.Open(l.blobPath(l.Digest))
	}
	return io.NopCloser(l.download.reader(func(read int64) {
		if l.download.complete() {
			l.tell(StatusExtracting, read)
		}
	})), nil
}
