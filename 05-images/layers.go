package images

import (
	"context"

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
	arriving := map[string]*download{} // by digest: an image may have one layer twice
	var downloads []*download
	var missing []*layerPull
	parent := ""
	for _, layer := range img.Layers {
		l := &layerPull{pull: p, Layer: layer, parent: parent, download: arriving[layer.Digest]}
		parent = l.ChainID
		stored := p.hasBlob(l.Digest, l.Size)
		if stored && (p.o.Unpack == nil || p.o.Unpack.Has(l.ChainID)) {
			l.tell(StatusExists, 0)
			continue
		}
		l.tell(StatusPulling, 0)
		missing = append(missing, l)
		if l.download == nil && !stored {
			l.download = &download{store: p.Store, layer: layer, tell: l.tell}
			l.download.changed.L = &l.download.mu
			arriving[l.Digest], downloads = l.download, append(downloads, l.download)
		}
	}
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(jobs)
		for _, d := range downloads {
			group.Go(func() error { return d.run(ctx, p.session) })
		}
		return group.Wait()
	})
	both.Go(func() error {
		for _, l := range missing {
			if err := l.finish(ctx); err != nil {
				return err
			}
			l.tell(StatusPulled, 0)
		}
		return nil
	})
	err := both.Wait()
	for _, d := range downloads {
		d.file.Close() // nobody reads any more
	}
	return err
}

// layerPull is one layer of a pull.
type layerPull struct {
	*pull
	Layer
	parent   string    // ChainID of what is below
	download *download // nil: the blob was in the store
}

func (l *layerPull) tell(status string, current int64) {
	event := Progress{ID: short(l.Digest), Status: status}
	if status == StatusDownloading || status == StatusExtracting {
		event.Current, event.Total = current, l.Size
	}
	l.report(event)
}

// finish waits until the layer is there, and has it unpacked meanwhile.
func (l *layerPull) finish(ctx context.Context) error {
	u := l.o.Unpack
	switch {
	case u == nil || u.Has(l.ChainID):
		return l.download.wait()
	case l.download == nil:
		return l.unpackStored(l.Layer, l.parent, u)
	}
	return l.unpack(&follower{download: l.download, ctx: ctx}, l.parent, u)
}
