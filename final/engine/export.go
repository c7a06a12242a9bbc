package engine

import (
	"context"
	"errors"
	"io"

	unionfs "cutaway/04-unionfs"
	images "cutaway/05-images"
	daemon "cutaway/07-daemon"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
)

// Export writes all files of a container as a tar archive. They are read where
// its layers are, so it need not run, and may.
func (e *Engine) Export(ctx context.Context, ref string, w io.Writer) error {
	c, err := e.find(ref)
	if err != nil {
		return err
	}
	tree, err := e.layers.Tree(c.look().ID)
	if err != nil {
		return layerError(err, ref)
	}
	defer context.AfterFunc(ctx, func() { tree.Close() })()
	defer tree.Close()
	_, err = io.Copy(w, tree)
	return err
}

// layerError gives the error of a container's layer its kind: it goes before the container does.
func layerError(err error, ref string) error {
	if errors.Is(err, unionfs.ErrNotFound) {
		return absent(ref)
	}
	return err
}

// Changes tells what a container has changed.
func (e *Engine) Changes(_ context.Context, ref string) ([]container.FilesystemChange, error) {
	c, err := e.find(ref)
	if err != nil {
		return nil, err
	}
	changes, err := e.layers.Changes(c.look().ID)
	if err != nil {
		return nil, layerError(err, ref)
	}
	places, err := e.stubsIn(c.look().Image)
	if err != nil { // as after rmi -f: then all that changed is shown
		places = nil
	}
	return places.shown(changes), nil
}

// History tells how an image was made.
func (e *Engine) History(_ context.Context, o daemon.HistoryOptions) ([]image.HistoryResponseItem, error) {
	img, err := e.imageFor(o.Ref, o.Platform)
	if err != nil {
		return nil, err
	}
	var list []image.HistoryResponseItem
	for i, step := range img.History() {
		item := image.HistoryResponseItem{
			ID: step.ID, Created: step.Created.Unix(), CreatedBy: step.CreatedBy, Comment: step.Comment, Tags: []string{},
		}
		if step.Created.IsZero() {
			item.Created = 0
		}
		if i == 0 {
			item.Tags = orNone(img.Names)
		}
		if step.Layer != nil {
			item.Size = e.layerSize(*step.Layer)
		}
		list = append(list, item)
	}
	return list, nil
}

// layerSize is the bytes that a layer takes on the disk, unpacked; those of its
// archive if it is not.
func (e *Engine) layerSize(l images.Layer) int64 {
	size, err := e.layers.Usage(l.ChainID)
	if err != nil {
		return l.Size
	}
	return size
}
