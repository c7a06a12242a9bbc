package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"
)

// PushOptions are all optional.
type PushOptions struct {
	Registry
	Progress func(Progress) // never called twice at once
}

// Push sends the image that ref finds to the registry and repository that ref
// names. Blobs that are there are not sent, and those that another repository
// of the registry has are mounted from it. The manifest comes last: a registry
// refuses one whose blobs it does not have. It is sent byte for byte, so the
// image has the same digest everywhere. Errors are those of [Store.Pull].
func (s *Store) Push(ctx context.Context, ref Reference, o PushOptions) error {
	p := &push{Store: s, reporter: newReporter(o.Progress), ref: ref}
	if err := p.run(ctx, o.Registry); err != nil {
		return fmt.Errorf("push %s: %w", ref.Familiar(), errors.Join(ctx.Err(), explain(err, ref)))
	}
	return nil
}

type push struct {
	*Store
	*reporter
	ref     Reference
	repo    name.Repository
	pusher  *remote.Pusher
	sources map[string]string // digest of a blob → another repository that should have it
	mounted sync.Map          // digests of blobs that it had
}

func (p *push) run(ctx context.Context, r Registry) error {
	img, err := p.Get(p.ref.String())
	if err != nil {
		return err
	}
	release, err := p.lease(img.needs())
	if err != nil {
		return err
	}
	defer release()
	if p.sources, err = p.findSources(img); err != nil {
		return err
	}
	scopes := []string{"repository:" + p.ref.Path + ":pull,push"}
	for _, repo := range p.sources {
		scopes = append(scopes, "repository:"+repo+":pull")
	}
	r.Trace = p.watch(r.Trace) //nolint:bodyclose // who asked does
	to, err := r.connect(ctx, p.ref, scopes...)
	if err != nil {
		return err
	}
	defer to.close()
	p.repo = to.repo
	if p.pusher, err = remote.NewPusher(remote.WithTransport(to.authed), remote.WithRetryBackoff(pauses)); err != nil {
		return err
	}
	stored, err := layout.Path(p.dir).Image(img.desc.Digest)
	if err != nil {
		return err
	}
	layers, err := stored.Layers()
	config, err2 := partial.ConfigLayer(stored)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(jobs)
	for i, l := range img.Layers {
		p.report(Progress{ID: short(l.Digest), Status: "Preparing"})
		group.Go(func() error { return p.layer(gctx, layers[i], l) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := p.pusher.Upload(ctx, p.repo, config); err != nil {
		return err
	}
	if err := p.pusher.Put(ctx, p.repo.Tag(p.ref.identifier()), stored); err != nil {
		return err
	}
	p.report(Progress{ID: p.ref.identifier(), Status: fmt.Sprintf("digest: %s size: %d", img.Manifest, img.desc.Size)})
	return p.update(func(index *v1.IndexManifest) error {
		setName(index, img.desc, Reference{Domain: p.ref.Domain, Path: p.ref.Path, Digest: img.Manifest})
		return nil
	})
}

// watch notes which blobs a registry says to have mounted.
func (p *push) watch(then func(*http.Response)) func(*http.Response) {
	return func(resp *http.Response) {
		if resp.StatusCode == http.StatusCreated {
			p.mounted.Store(resp.Request.URL.Query().Get("mount"), true)
		}
		if then != nil {
			then(resp)
		}
	}
}

// findSources finds repositories of the same registry that images with some of
// the layers came from, or were pushed to.
func (p *push) findSources(img Image) (map[string]string, error) {
	all, err := p.List()
	sources := map[string]string{}
	for _, other := range all {
		for _, ref := range other.refs {
			if ref.Digest == "" || ref.Domain != p.ref.Domain || ref.Path == p.ref.Path {
				continue
			}
			for _, l := range other.Layers {
				if slices.ContainsFunc(img.Layers, func(own Layer) bool { return own.Digest == l.Digest }) {
					sources[l.Digest] = ref.Path
				}
			}
		}
	}
	return sources, err
}

// layer brings one layer to the registry (distribution-spec, "Pushing blobs"): HEAD
// asks for it, POST mounts it or opens an upload, PATCH and PUT send it.
func (p *push) layer(ctx context.Context, stored v1.Layer, l Layer) error {
	up := &upload{Layer: stored, sent: func(n int64) {
		p.report(Progress{ID: short(l.Digest), Status: "Pushing", Current: n, Total: l.Size})
	}}
	layer, from := v1.Layer(up), p.sources[l.Digest]
	if from != "" {
		layer = &remote.MountableLayer{Layer: up, Reference: p.repo.Registry.Repo(from).Tag(DefaultTag)}
	}
	err := p.pusher.Upload(ctx, p.repo, layer)
	if err != nil {
		return err
	}
	status := "Layer already exists"
	if _, mounted := p.mounted.Load(l.Digest); mounted {
		status = "Mounted from " + from
	} else if up.opened {
		status = "Pushed"
	}
	p.report(Progress{ID: short(l.Digest), Status: status})
	return nil
}

// upload is a stored layer that tells how much of it was read.
type upload struct {
	v1.Layer
	sent   func(n int64)
	opened bool
}

// Compressed opens the blob, for each attempt.
func (u *upload) Compressed() (io.ReadCloser, error) {
	u.opened = true
	f, err := u.Layer.Compressed()
	return struct {
		io.Reader
		io.Closer
	}{counted(f, u.sent), f}, err
}
