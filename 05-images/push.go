package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
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
		return fmt.Errorf("push %s: %w", ref.Familiar(), errors.Join(ctx.Err(), err))
	}
	return nil
}

type push struct {
	*Store
	*reporter
	ref   Reference
	image Image
	told  sync.Map // digests of layers of which it is known how they got there
}

func (p *push) run(ctx context.Context, r Registry) (err error) {
	if p.image, err = p.Get(p.ref.String()); err != nil {
		return err
	}
	release, err := p.lease(p.image.needs())
	if err != nil {
		return err
	}
	defer release()
	sources, err := p.sources()
	if err != nil {
		return err
	}
	scopes := []string{"repository:" + p.ref.Path + ":pull,push"}
	for _, repo := range sources {
		scopes = append(scopes, "repository:"+repo+":pull")
	}
	r.Trace = p.watch(r.Trace) //nolint:bodyclose // who asked does
	to, err := r.connect(ctx, p.ref, scopes...)
	if err != nil {
		return err
	}
	defer to.close()
	if err := p.send(ctx, to, sources); err != nil {
		return err
	}
	for _, l := range p.image.Layers {
		if _, told := p.told.Load(l.Digest); !told { // the manifest was there, so all of it is
			p.settle(l.Digest, "Layer already exists")
		}
	}
	p.report(Progress{ID: p.ref.identifier(), Status: fmt.Sprintf("digest: %s size: %d", p.image.Manifest, p.image.desc.Size)})
	return p.update(func(index *v1.IndexManifest) error {
		if slices.ContainsFunc(index.Manifests, func(d v1.Descriptor) bool { return d.Digest == p.image.desc.Digest }) { // else it was removed meanwhile
			setName(index, p.image.desc, Reference{Domain: p.ref.Domain, Path: p.ref.Path, Digest: p.image.Manifest})
		}
		return nil
	})
}

// sources finds repositories of the same registry that images with some of
// the layers came from, or were pushed to: digest of a layer → repository.
func (p *push) sources() (map[string]string, error) {
	all, err := p.List()
	sources := map[string]string{}
	for _, other := range all {
		for _, ref := range other.refs {
			if ref.Digest == "" || ref.Domain != p.ref.Domain || ref.Path == p.ref.Path {
				continue
			}
			for _, l := range other.Layers {
				if p.image.index(l.Digest) >= 0 {
					sources[l.Digest] = ref.Path
				}
			}
		}
	}
	return sources, err
}

func (i Image) index(digest string) int {
	return slices.IndexFunc(i.Layers, func(l Layer) bool { return l.Digest == digest })
}

// send has go-containerregistry bring everything to the registry that is not there.
func (p *push) send(ctx context.Context, to *session, sources map[string]string) error {
	pusher, err := remote.NewPusher(remote.WithTransport(to.authed), remote.WithRetryBackoff(pauses), remote.WithJobs(jobs))
	if err != nil {
		return err
	}
	stored, err := layout.Path(p.dir).Image(p.image.desc.Digest) // what is in the index stays, for it is leased
	if err != nil {
		_, gone := p.Get(p.ref.String())
		return errors.Join(gone, err)
	}
	layers, err := stored.Layers()
	if err != nil {
		return err
	}
	for i, l := range p.image.Layers {
		p.tell(l, "Preparing", 0)
		layers[i] = upload{layers[i], func(n int64) { p.tell(l, "Pushing", n) }}
		if repo := sources[l.Digest]; repo != "" {
			layers[i] = &remote.MountableLayer{Layer: layers[i], Reference: to.repo.Registry.Repo(repo).Tag(DefaultTag)}
		}
	}
	return explain(pusher.Push(ctx, to.repo.Tag(p.ref.identifier()), withLayers{stored, layers}), p.ref)
}

// watch tells of a layer what a registry's answers say (distribution-spec, "Pushing
// blobs"): HEAD asks for it, POST mounts it or opens an upload, PATCH and PUT send it.
func (p *push) watch(then func(*http.Response)) func(*http.Response) {
	return func(resp *http.Response) {
		query := resp.Request.URL.Query()
		switch fmt.Sprint(resp.Request.Method, resp.StatusCode) {
		case "HEAD200":
			p.settle(path.Base(resp.Request.URL.Path), "Layer already exists")
		case "POST201":
			p.settle(query.Get("mount"), "Mounted from "+query.Get("from"))
		case "PUT201":
			p.settle(query.Get("digest"), "Pushed")
		}
		if then != nil {
			then(resp)
		}
	}
}

// settle notes how a layer got there.
func (p *push) settle(digest, status string) {
	if i := p.image.index(digest); i >= 0 {
		p.told.Store(digest, true)
		p.tell(p.image.Layers[i], status, 0)
	}
}

// withLayers is a stored image whose layers tell how much of them was read.
type withLayers struct {
	v1.Image
	layers []v1.Layer
}

// Layers is that of [v1.Image].
func (w withLayers) Layers() ([]v1.Layer, error) { return w.layers, nil }

// upload is a stored layer that tells how much of it was read.
type upload struct {
	v1.Layer
	sent func(n int64)
}

// Compressed opens the blob, for each attempt.
func (u upload) Compressed() (io.ReadCloser, error) {
	f, err := u.Layer.Compressed()
	n := int64(0)
	count := writerFunc(func(p []byte) (int, error) {
		n += int64(len(p))
		u.sent(n)
		return len(p), nil
	})
	return struct {
		io.Reader
		io.Closer
	}{io.TeeReader(f, count), f}, err
}
