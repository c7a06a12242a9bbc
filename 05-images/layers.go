package images

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sync/errgroup"
)

const jobs = 3 // layers that are moved at once; Docker's max-concurrent-downloads

// layers brings the layers that are missing into the store and to the Unpacker.
// Downloads run side by side; each layer is unpacked while it arrives, but
// not before the one below it is complete.
//
//	layer 3   ↓↓↓↓↓↓↓↓↓↓↓↓↓↓        (unpack)
//	layer 2   ↓↓↓↓↓↓↓↓↓  (unpack→→→→→)
//	layer 1   ↓↓↓↓↓↓↓↓↓↓↓↓↓
//	           (unpack→→→)
func (p *pull) layers(ctx context.Context, img Image) error {
	group, ctx := errgroup.WithContext(ctx)
	slots := make(chan struct{}, jobs)
	downloads := map[string]*download{} // by digest: an image may have one layer twice
	below, parent := make(chan struct{}), ""
	close(below)
	for _, layer := range img.Layers {
		l := &layerPull{pull: p, Layer: layer, parent: parent, below: below, unpacked: make(chan struct{})}
		below, parent = l.unpacked, l.ChainID
		stored := p.hasBlob(l.Digest, l.Size)
		if stored && (p.o.Unpack == nil || p.o.Unpack.Has(l.ChainID)) {
			l.tell(StatusExists, 0)
			close(l.unpacked)
			continue
		}
		l.tell(StatusPulling, 0)
		if l.download = downloads[l.Digest]; l.download == nil && !stored {
			l.download = &download{store: p.Store, layer: layer, slots: slots, tell: l.tell}
			l.download.changed.L = &l.download.mu
			downloads[l.Digest] = l.download
			group.Go(func() error { return l.download.run(ctx, p.session) })
		}
		group.Go(func() error { return l.unpackInTurn(ctx) })
	}
	err := group.Wait()
	for _, d := range downloads {
		d.close()
	}
	return err
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

func (l *layerPull) unpackInTurn(ctx context.Context) error {
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
	if u := l.o.Unpack; u != nil && !u.Has(l.ChainID) {
		err = l.unpack(blob, l.parent, u)
	} else {
		_, err = io.Copy(io.Discard, blob) // at its end is the download's verdict
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
	return io.NopCloser(&follower{download: l.download}), nil
}
