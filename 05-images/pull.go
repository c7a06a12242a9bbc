package images

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// PullOptions are all optional.
type PullOptions struct {
	Platform Platform            // zero: the host's
	Auth     authn.Authenticator // goes before Registry.Auth
	Registry Registry
	Progress func(Progress) // is never called twice at once
	Unpack   Unpacker       // gets the layers while they arrive; nil: blobs are only stored
	Jobs     int            // layers that are downloaded at once; 0: 3, as in Docker
}

const defaultJobs = 3

// Pull brings an image into the store, and names it. What is there already,
// from any image, is not fetched. An interrupted Pull leaves no image, and its
// blobs, whole or not, for the next one. Errors wrap [ErrNotFound],
// [ErrUnauthorized], [ErrDigest], [ErrPlainHTTP], or those of the network.
func (s *Store) Pull(ctx context.Context, ref Reference, o PullOptions) (Image, error) {
	p := &pull{Store: s, ref: ref, o: o, reporter: newReporter(o.Progress)}
	img, err := p.run(ctx)
	if err != nil {
		return Image{}, fmt.Errorf("pull %s: %w", ref.Familiar(), err)
	}
	return img, nil
}

type pull struct {
	*Store
	*reporter
	ref     Reference
	o       PullOptions
	session *session
	index   v1.Descriptor // what the name stands for: an index, or the manifest itself
}

// run follows the chain: reference → index → manifest → config → layers.
func (p *pull) run(ctx context.Context) (img Image, err error) {
	if p.session, err = p.o.connect(ctx, p.ref); err != nil {
		return img, err
	}
	defer p.session.client.CloseIdleConnections()
	manifest, raw, err := p.resolve(ctx)
	if err != nil {
		return img, err
	}
	p.report(Progress{ID: p.ref.identifier(), Status: "Pulling from " + p.ref.Path})
	config, err := p.config(ctx, raw)
	if err != nil {
		return img, err
	}
	if img, err = newImage(manifest.Digest.String(), raw, config); err != nil {
		return img, err
	}
	if err := p.checkPlatform(img); err != nil {
		return img, err
	}
	return p.fetch(ctx, fetched{img, manifest, raw, config})
}

type fetched struct {
	Image
	desc        v1.Descriptor
	raw, config []byte
}

func (p *pull) fetch(ctx context.Context, f fetched) (Image, error) {
	needs := []string{f.ID, f.Manifest, p.index.Digest.String()}
	for _, l := range f.Layers {
		needs = append(needs, l.Digest, l.ChainID)
	}
	lease, err := p.lease(needs)
	if err != nil {
		return Image{}, err
	}
	defer lease.release()
	if err := p.layers(ctx, f.Image); err != nil {
		return Image{}, err
	}
	return p.name(f)
}

func (o PullOptions) connect(ctx context.Context, ref Reference) (*session, error) {
	registry := o.Registry
	if o.Auth != nil {
		registry.Auth = o.Auth
	}
	return registry.connect(ctx, ref, "repository:"+ref.Path+":pull")
}

func (p *pull) platform() Platform {
	if p.o.Platform == (Platform{}) {
		return HostPlatform()
	}
	return p.o.Platform
}

// resolve finds the manifest: what the name stands for, or what the index there
// has for the platform.
func (p *pull) resolve(ctx context.Context) (d v1.Descriptor, raw []byte, err error) {
	d, raw, err = p.session.manifest(ctx, p.ref.identifier())
	p.index = d
	if err != nil || !d.MediaType.IsIndex() {
		return d, raw, err
	}
	if err := p.putBlob(d.Digest.String(), raw); err != nil {
		return d, raw, err
	}
	child, err := choose(raw, p.platform())
	if err != nil {
		return d, raw, err
	}
	return p.session.manifest(ctx, child.Digest.String())
}

func (p *pull) config(ctx context.Context, rawManifest []byte) ([]byte, error) {
	var m v1.Manifest
	if err := json.Unmarshal(rawManifest, &m); err != nil {
		return nil, fmt.Errorf("parse manifest: %w", err)
	}
	if m.SchemaVersion == 1 {
		return nil, errors.New("the registry has only a schema 1 manifest, which was retired in 2016: push the image anew")
	}
	return p.session.blob(ctx, m.Config)
}

func (p *pull) checkPlatform(img Image) error {
	want, have := p.o.Platform, Platform{img.Config.OS, img.Config.Architecture, img.Config.Variant}
	if want == (Platform{}) || have.OS == want.OS && have.Architecture == want.Architecture {
		return nil
	}
	return fmt.Errorf("%w: %s was found but does not match the specified platform: wanted %s, actual: %s", ErrNotFound, p.ref.Familiar(), want, have)
}

// name stores what is small, and makes the image known, all at once.
func (p *pull) name(f fetched) (Image, error) {
	if err := errors.Join(p.putBlob(f.ID, f.config), p.putBlob(f.Manifest, f.raw)); err != nil {
		return Image{}, err
	}
	before, _ := p.Get(p.ref.String())
	f.desc.Platform = &v1.Platform{OS: f.Config.OS, Architecture: f.Config.Architecture, Variant: f.Config.Variant}
	err := p.update(func(index *v1.IndexManifest) error {
		byDigest := Reference{Domain: p.ref.Domain, Path: p.ref.Path, Digest: p.index.Digest.String()}
		setName(index, f.desc, byDigest)
		if p.ref.Digest == "" {
			setName(index, f.desc, p.ref)
		}
		return nil
	})
	if err != nil {
		return Image{}, err
	}
	status := "Downloaded newer image for "
	if before.ID == f.ID {
		status = "Image is up to date for "
	}
	p.report(Progress{Status: "Digest: " + p.index.Digest.String()})
	p.report(Progress{Status: "Status: " + status + p.ref.Familiar()})
	return p.Get(f.ID)
}

func mediaType(header string, raw []byte) types.MediaType {
	var m struct{ MediaType types.MediaType }
	if json.Unmarshal(raw, &m) == nil && m.MediaType != "" {
		return m.MediaType
	}
	return types.MediaType(header)
}
