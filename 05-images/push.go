package images

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
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
	if err := p.run(ctx, o); err != nil {
		return fmt.Errorf("push %s: %w", ref.Familiar(), err)
	}
	return nil
}

type push struct {
	*Store
	*reporter
	ref     Reference
	session *session
	sources map[string]string // digest of a blob → another repository that should have it
}

func (p *push) run(ctx context.Context, o PushOptions) error {
	img, err := p.Get(p.ref.String())
	if err != nil {
		return err
	}
	release, err := p.lease(img.needs())
	if err != nil {
		return err
	}
	defer release()
	scopes := []string{"repository:" + p.ref.Path + ":pull,push"}
	if p.sources, err = p.findSources(img); err != nil {
		return err
	}
	for _, repo := range p.sources {
		scopes = append(scopes, "repository:"+repo+":pull")
	}
	if p.session, err = o.connect(ctx, p.ref, scopes...); err != nil {
		return err
	}
	defer p.session.close()
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(jobs)
	for _, l := range img.Layers {
		p.report(Progress{ID: short(l.Digest), Status: "Preparing"})
		group.Go(func() error { return p.layer(gctx, l) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return p.documents(ctx, img)
}

// documents sends the config, and then the manifest that makes it an image.
func (p *push) documents(ctx context.Context, img Image) error {
	config, err := os.Stat(p.blobPath(img.ID))
	if err != nil {
		return err
	}
	if _, err := p.blob(ctx, Layer{Digest: img.ID, Size: config.Size()}); err != nil {
		return err
	}
	header := http.Header{"Content-Type": {string(img.desc.MediaType)}}
	body := upload{file: p.blobPath(img.Manifest), size: img.desc.Size}
	resp, err := p.session.send(ctx, request{http.MethodPut, "manifests/" + p.ref.identifier(), header, body})
	if err != nil {
		return explain(err, p.ref)
	}
	resp.Body.Close()
	p.report(Progress{ID: p.ref.identifier(), Status: fmt.Sprintf("digest: %s size: %d", img.Manifest, img.desc.Size)})
	return p.update(func(index *v1.IndexManifest) error {
		setName(index, img.desc, Reference{Domain: p.ref.Domain, Path: p.ref.Path, Digest: img.Manifest})
		return nil
	})
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

func (p *push) layer(ctx context.Context, l Layer) error {
	status, err := p.blob(ctx, l)
	if err == nil {
		p.report(Progress{ID: short(l.Digest), Status: status})
	}
	return explain(err, p.ref)
}

// blob brings one blob to the registry (distribution-spec, "Pushing blobs"):
// HEAD asks for it, POST mounts it or opens an upload, PUT sends it.
func (p *push) blob(ctx context.Context, l Layer) (status string, err error) {
	err = retry(ctx, func() (bool, error) {
		status, err = p.tryBlob(ctx, l)
		return false, err
	})
	return status, err
}

func (p *push) tryBlob(ctx context.Context, l Layer) (status string, err error) {
	resp, err := p.session.send(ctx, request{method: http.MethodHead, path: "blobs/" + l.Digest})
	if err == nil {
		resp.Body.Close()
		return "Layer already exists", nil
	}
	start := "blobs/uploads/"
	if from := p.sources[l.Digest]; from != "" {
		start += "?" + url.Values{"mount": {l.Digest}, "from": {from}}.Encode()
	}
	if resp, err = p.session.send(ctx, request{method: http.MethodPost, path: start}); err != nil {
		return "", err
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusCreated {
		return "Mounted from " + p.sources[l.Digest], nil
	}
	to, err := resp.Location()
	if err != nil {
		return "", fmt.Errorf("upload %s: %w", short(l.Digest), err)
	}
	query := to.Query()
	query.Set("digest", l.Digest)
	to.RawQuery = query.Encode()
	body := upload{file: p.blobPath(l.Digest), size: l.Size, sent: func(n int64) {
		p.report(Progress{ID: short(l.Digest), Status: "Pushing", Current: n, Total: l.Size})
	}}
	resp, err = p.session.send(ctx, request{http.MethodPut, to.String(), http.Header{"Content-Type": {"application/octet-stream"}}, body})
	if err != nil {
		return "", err
	}
	return "Pushed", resp.Body.Close()
}

// upload is a file as the body of a request, from its beginning for each attempt.
type upload struct {
	file string
	size int64
	sent func(n int64) // nil: nobody counts
}

func (u upload) open() (io.ReadCloser, error) {
	f, err := os.Open(u.file)
	if err != nil || u.sent == nil {
		return f, err
	}
	n := int64(0)
	counted := writerFunc(func(p []byte) (int, error) {
		n += int64(len(p))
		u.sent(n)
		return len(p), nil
	})
	return struct {
		io.Reader
		io.Closer
	}{io.TeeReader(f, counted), f}, nil
}

// writerFunc is a function as an [io.Writer].
type writerFunc func(p []byte) (int, error)

// Write calls the function.
func (w writerFunc) Write(p []byte) (int, error) { return w(p) }
