package images

import (
	"context"
	"encoding/json"
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
	ref     Reference
	o       PullOptions
	session *session
}

// run follows the chain: reference → index → manifest → config → layers.
func (p *pull) run(ctx context.Context, registry Registry, host string) (img Image, err error) {
	from := p.ref
	from.Domain = host
	p.session, err = registry.connect(ctx, from, "repository:"+p.ref.Path+":pull")
	if err != nil {
		return Image{}, err
	}
	defer p.session.close()
	top, manifest, err := p.resolve(ctx)
	if err != nil {
		return Image{}, err
	}
	p.report(Progress{ID: p.ref.identifier(), Status: "Pulling from " + p.ref.Path})
	img, err = p.parse(ctx, manifest)
	if err != nil {
		return Image{}, err
	}
	release, err := p.lease(append(img.needs(), digestOf(top)))
	if err != nil {
		return Image{}, err
	}
	defer release()
	if err := p.putBlob(top); err != nil {
		return Image{}, err
	}
	if err := p.layers(ctx, img); err != nil {
		return Image{}, err
	}
	return p.finish(img, digestOf(top))
}

// resolve finds what the name stands for, an index or a manifest, and the
// manifest: that, or the one that the index has for the platform.
func (p *pull) resolve(ctx context.Context) (top, manifest []byte, err error) {
	top, err = p.session.manifest(ctx, p.ref.identifier())
	if err != nil || !isIndex(top) {
		return top, top, err
	}
	want := p.o.Platform
	if want.OS == "" {
		want = HostPlatform()
	}
	child, err := choose(top, want)
	if err != nil {
		return nil, nil, err
	}
	manifest, err = p.session.manifest(ctx, child.Digest.String())
	return top, manifest, err
}

// parse adds the config to the manifest, and checks that it is for the platform.
func (p *pull) parse(ctx context.Context, manifest []byte) (img Image, err error) {
	var m v1.Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return img, fmt.Errorf("parse manifest: %w", err)
	}
	if m.SchemaVersion == 1 {
		return img, errors.New("the registry has the image as schema 1 only, which was retired in 2016: push it anew")
	}
	config, err := p.readBlob(m.Config.Digest.String())
	if err != nil {
		if config, err = p.session.config(ctx, m.Config); err != nil {
			return img, err
		}
	}
	if img, err = parse(manifest, config); err != nil {
		return img, err
	}
	want, have := p.o.Platform, img.Config
	if want.OS != "" && (have.OS != want.OS || have.Architecture != want.Architecture) {
		return img, fmt.Errorf("%w: the image does not match the platform: wanted %s, actual: %s/%s", ErrNotFound, want, have.OS, have.Architecture)
	}
	return img, nil
}

// finish makes the image known by its tag, and by the digest of what the tag
// stood for.
func (p *pull) finish(img Image, topDigest string) (Image, error) {
	before, _ := p.Get(p.ref.String())
	names := []Reference{{Domain: p.ref.Domain, Path: p.ref.Path, Digest: topDigest}}
	if p.ref.Digest == "" {
		names = append(names, p.ref)
	}
	img, err := p.enter(img, names...)
	if err != nil {
		return Image{}, err
	}
	status := "Downloaded newer image for "
	if before.ID == img.ID {
		status = "Image is up to date for "
	}
	p.report(Progress{Status: "Digest: " + topDigest})
	p.report(Progress{Status: "Status: " + status + p.ref.Familiar()})
	return img, nil
}
