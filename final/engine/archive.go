package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	images "cutaway/05-images"
	daemon "cutaway/07-daemon"
	"cutaway/final/build"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/moby/api/types/jsonstream"
	"golang.org/x/sys/unix"
)

// Save writes images as one archive.
func (e *Engine) Save(_ context.Context, o daemon.SaveOptions, w io.Writer) error {
	var refs []string
	for _, ref := range o.Refs {
		names, err := e.meant(ref)
		if err != nil {
			return err
		}
		for _, name := range names {
			if _, err := e.imageFor(name, o.Platform); err != nil {
				return err
			}
		}
		refs = append(refs, names...)
	}
	return imageError(e.images.Save(w, refs...), strings.Join(o.Refs, ", "))
}

// meant is what a name stands for in save: without a tag, all tags of a repository.
func (e *Engine) meant(ref string) ([]string, error) {
	if parsed, err := images.ParseReference(ref + ":x"); err == nil { // else it has a tag or a digest
		if tags, err := e.tagsOf(parsed); err == nil {
			names := make([]string, len(tags))
			for i, tag := range tags {
				names[i] = tag.Familiar()
			}
			return names, nil
		}
	}
	_, err := e.images.Get(ref)
	return []string{ref}, imageError(err, ref)
}

// Load adds the images of an archive.
func (e *Engine) Load(ctx context.Context, o daemon.LoadOptions, progress func(jsonstream.Message)) error {
	platform, err := images.ParsePlatform(o.Platform)
	if err != nil {
		return daemon.Errorf(daemon.Invalid, "%w", err)
	}
	load := images.LoadOptions{Unpack: e.layers, Platform: platform, Progress: lines(progress)}
	if o.Quiet {
		load.Progress = nil
	}
	loaded, err := e.images.Load(untilDone{ctx, o.Archive}, load)
	for _, img := range loaded {
		for _, name := range img.Names {
			progress(jsonstream.Message{Stream: fmt.Sprintf("Loaded image: %s\n", name)})
		}
		if len(img.Names) == 0 {
			progress(jsonstream.Message{Stream: fmt.Sprintf("Loaded image ID: %s\n", img.ID)})
		}
	}
	return archiveError(err)
}

// archiveError tells what is wrong with an archive from what is wrong here.
func archiveError(err error) error {
	_, system := errors.AsType[unix.Errno](err)
	switch {
	case err == nil, daemon.KindOf(err) != daemon.Internal:
		return err
	case errors.Is(err, unix.ENOSPC):
		return diskFull.About(err)
	case errors.Is(err, images.ErrReference):
		return badReference.About(daemon.Errorf(daemon.Invalid, "%w", err))
	case errors.Is(err, images.ErrNotFound):
		return noImage.About(daemon.Errorf(daemon.NotFound, "%w", err))
	case system:
		return err
	}
	return badArchive.About(daemon.Errorf(daemon.Invalid, "%w", err))
}

// untilDone reads until a context ends.
type untilDone struct {
	ctx context.Context //nolint:containedctx // of the one copy that it is for
	io.Reader
}

// Read reads.
func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.Reader.Read(p)
}

// Import makes an image of an archive of files.
func (e *Engine) Import(ctx context.Context, o daemon.ImportOptions) (string, error) {
	platform, err := images.ParsePlatform(o.Platform)
	if err != nil {
		return "", daemon.Errorf(daemon.Invalid, "%w", err)
	}
	config, err := build.Change(v1.Config{}, o.Changes)
	if err != nil {
		return "", daemon.Errorf(daemon.Invalid, "%w", err)
	}
	if o.Archive == nil {
		answer, err := fetch(ctx, o.Source)
		if err != nil {
			return "", err
		}
		defer answer.Close()
		o.Archive = answer
	}
	img, err := e.makeImage(untilDone{ctx, o.Archive}, imageSpec{
		Config: config, Platform: platform, Name: o.Name, Step: v1.History{Comment: first(o.Message, "Imported from "+o.Source)},
	})
	return img.ID, archiveError(err)
}

// fetch gets an archive from the network.
func fetch(ctx context.Context, address string) (io.ReadCloser, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, daemon.Errorf(daemon.Invalid, "%w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, pullUnreachable.About(err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.Join(daemon.Errorf(daemon.Invalid, "get %s: %s", address, resp.Status), resp.Body.Close())
	}
	return resp.Body, nil
}
