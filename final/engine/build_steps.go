package engine

import (
	"context"
	"errors"
	"os"

	unionfs "cutaway/04-unionfs"
	images "cutaway/05-images"
	daemon "cutaway/07-daemon"
	"cutaway/final/build"

	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/api/types/registry"
)

// builder is the engine as final/build needs it, for one build.
type builder struct {
	*Engine
	o        daemon.BuildOptions
	progress func(jsonstream.Message)

	held []string // images that must stay until the end of the build
}

func (b *builder) say(text string) { b.progress(jsonstream.Message{Stream: text}) }

// keep keeps an image from being removed while the build goes on.
func (b *builder) keep(id string) {
	b.held = append(b.held, id)
	b.needs.hold(id)
}

func (b *builder) end() {
	for _, id := range b.held {
		b.needs.release(id)
	}
}

// Image finds an image, or pulls it.
func (b *builder) Image(ctx context.Context, o build.ImageSpec) (build.Image, error) {
	img, err := b.images.Get(o.Name)
	fits := err == nil
	if want, perr := images.ParsePlatform(o.Platform); perr != nil {
		return build.Image{}, daemon.Errorf(daemon.Invalid, "%w", perr)
	} else if fits && o.Platform != "" {
		fits = img.Config.OS == want.OS && img.Config.Architecture == want.Architecture
	}
	if !o.Local && (o.Refresh || !fits) && (err == nil || errors.Is(err, images.ErrNotFound)) {
		if err := b.pull(ctx, o); err != nil {
			return build.Image{}, err
		}
	}
	if img, err = b.images.Hold(o.Name, b.keep); err != nil {
		return build.Image{}, imageError(err, o.Name)
	}
	return build.Image{ID: img.ID, Config: img.Config}, nil
}

// pull fetches an image with the credentials that came with the build.
func (b *builder) pull(ctx context.Context, o build.ImageSpec) error {
	ref, err := images.ParseReference(o.Name)
	if err != nil {
		return badReference.About(daemon.Errorf(daemon.Invalid, "%w", err))
	}
	return imageStore{b.Engine}.Pull(ctx, daemon.PullOptions{Ref: ref.Familiar(), Platform: o.Platform, Auth: authFor(b.o.Auths, ref.Domain)}, b.progress)
}

// authFor is the credentials for a registry. Docker's own has had another name
// since before there were others.
func authFor(all map[string]registry.AuthConfig, domain string) registry.AuthConfig {
	if domain == "docker.io" {
		return all["https://index.docker.io/v1/"]
	}
	return all[domain]
}

// View mounts an image read-only.
func (b *builder) View(id string) (build.View, error) { return b.view(id) }

func (e *Engine) view(id string) (build.View, error) {
	dir, err := os.MkdirTemp(e.exec("builds"), "view-")
	if err != nil {
		return build.View{}, err
	}
	view := build.View{Dir: dir, Close: func() error { return e.unview(dir) }}
	if id == "" {
		return view, nil
	}
	img, err := e.images.Get(id)
	if err == nil {
		err = e.images.Unpack(img, e.layers)
	}
	if err == nil && img.Top() != "" {
		var mount unionfs.Mount
		if mount, err = e.layers.Mount(img.Top(), dir); err == nil {
			err = mount.Do()
		}
	}
	if err != nil {
		return build.View{}, errors.Join(imageError(err, id), view.Close())
	}
	return view, nil
}

func (e *Engine) unview(dir string) error {
	return errors.Join(unionfs.Mount{Target: dir}.Undo(), os.Remove(dir))
}

// Store stores an image. Files are put on the image below first, so that the
// layer has them where links there lead, as any other tool will unpack them.
func (b *builder) Store(ctx context.Context, d build.Draft) (img build.Image, err error) {
	if d.Files == nil {
		return b.commit(d, "", nil)
	}
	below, err := b.below(d)
	if err != nil {
		return img, err
	}
	id := newID()
	if _, err := b.layers.Apply(id, below.Top(), untilDone{ctx, d.Files}); err != nil {
		return img, err
	}
	defer func() { err = errors.Join(err, b.layers.Remove(id)) }()
	return b.commit(d, id, nil)
}

// below is the image that a draft stands on.
func (b *builder) below(d build.Draft) (img images.Image, err error) {
	if d.Parent == "" {
		return img, nil
	}
	if img, err = b.images.Get(d.Parent); err == nil {
		err = b.images.Unpack(img, b.layers)
	}
	return img, imageError(err, d.Parent)
}

// commit makes an image of what a layer, if there is one, has changed, without
// the places to mount something at.
func (b *builder) commit(d build.Draft, layer string, places stubs) (build.Image, error) {
	below, err := b.below(d)
	if err != nil {
		return build.Image{}, err
	}
	draft := images.Draft{Below: below, Config: d.Config, Step: d.Step, Hold: b.keep}
	if layer != "" {
		changes, err := b.changes(layer, places)
		if err != nil {
			return build.Image{}, err
		}
		defer changes.Close()
		draft.Layer = changes
	}
	img, err := b.images.Make(draft, b.layers)
	if err != nil {
		return build.Image{}, err
	}
	return build.Image{ID: img.ID, Config: img.Config}, nil
}
