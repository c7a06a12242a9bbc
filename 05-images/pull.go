package images

import (
	"context"
	"errors"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// PullOptions are all optional.
type PullOptions struct {
	Registry
	Platform v1.Platform    // zero: the host's, or what there is if there is no index to choose from
	Progress func(Progress) // never called twice at once
	Unpack   Unpacker       // gets the layers while they arrive; nil: blobs are only stored
}

// Pull brings an image into the store, and names it. What is there already,
// from any image, is not fetched. A Pull that fails or is interrupted leaves no
// image; its blobs, whole or not, stay for the next one until a [Store.Sweep].
// Errors wrap [ErrNotFound], [ErrUnauthorized], [ErrDigest], [ErrSize],
// [ErrPlainHTTP], or those of the network.
func (s *Store) Pull(ctx context.Context, ref Reference, o PullOptions) (img Image, err error) {
	p := &pull{Store: s, reporter: newReporter(o.Progress), ref: ref, o: o}
	var missed strings.Builder // whatever one mirror lacks, the next may have
	if ref.Domain == DefaultDomain {
		for _, host := range o.Mirrors {
			mirror := o.Registry
			mirror.Auth = nil
			if img, err = p.run(ctx, mirror, host); err == nil {
				return img, nil
			}
			fmt.Fprintf(&missed, " (mirror %s: %v)", host, err)
		}
	}
	if img, err = p.run(ctx, o.Registry, ref.Domain); err != nil {
		return Image{}, fmt.Errorf("pull %s: %w%s", ref.Familiar(), errors.Join(ctx.Err(), err), &missed)
	}
	return img, nil
}

type pull struct {
	*Store
	*reporter
	ref Reference
	o   PullOptions
}

// run follows the chain: reference → index → manifest → config → layers.
func (p *pull) run(ctx context.Context, registry Registry, host string) (img Image, err error) {
	at := p.ref
	at.Domain = host
	from, err := registry.connect(ctx, at, "repository:"+p.ref.Path+":pull")
	if err != nil {
		return Image{}, err
	}
	defer from.close()
	top, err := from.document(ctx, "manifests/"+p.ref.identifier(), v1.Descriptor{Digest: hashOf(p.ref.Digest)})
	if err != nil {
		return Image{}, err
	}
	p.report(Progress{ID: p.ref.identifier(), Status: "Pulling from " + p.ref.Path})
	img, err = resolve(top, p.o.Platform, func(kind string, d v1.Descriptor) ([]byte, error) {
		if raw, err := p.readBlob(d.Digest.String()); err == nil {
			return raw, nil
		}
		return from.document(ctx, kind+"/"+d.Digest.String(), d)
	})
	if err != nil {
		return Image{}, err
	}
	// It is known by its tag, and by the digest of what the tag stood for.
	digest := digestOf(top)
	img.documents = append(img.documents, top)
	img.addName(Reference{Domain: p.ref.Domain, Path: p.ref.Path, Digest: digest})
	if p.ref.Digest == "" {
		img.addName(p.ref)
	}
	before, _ := p.Get(p.ref.String())
	a := arrival{Store: p.Store, reporter: p.reporter, Image: img, unpack: p.o.Unpack, blob: from.blob}
	if img, err = a.run(ctx); err != nil {
		return Image{}, err
	}
	status := "Downloaded newer image for "
	if before.ID == img.ID {
		status = "Image is up to date for "
	}
	p.report(Progress{Status: "Digest: " + digest})
	p.report(Progress{Status: "Status: " + status + p.ref.Familiar()})
	return img, nil
}
