package images

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Image is one image of a [Store]. Its slices and its Config are shared by all
// copies, and must not be changed.
type Image struct {
	ID       string   // "sha256:…", the digest of the config
	Manifest string   // "sha256:…", the digest of the manifest
	Names    []string // "alpine:latest": Docker's RepoTags
	Digests  []string // "alpine@sha256:…": Docker's RepoDigests
	Config   *v1.ConfigFile
	Layers   []Layer // the base first
	Created  time.Time
	Size     int64 // bytes of all layers as they are stored, compressed or not

	refs      []Reference   // Names and Digests
	desc      v1.Descriptor // of the manifest, without a name
	documents [][]byte      // the config, the manifest, and the index that led to it
	err       error         // what is wrong with the image; then it has only names
}

// Layer is one layer of an [Image]: one tar archive under three names.
type Layer struct {
	Digest    string // of the blob, the bytes that are stored and sent, compressed or not
	DiffID    string // of the tar in the blob; the config lists it
	ChainID   string // of this layer on top of those below it: names an unpacked layer
	MediaType types.MediaType
	Size      int64 // bytes of the blob

	parent string // ChainID of what is below; "" for the lowest
}

// ChainID names the tree that results from a layer on top of others: the
// DiffID for the lowest, else the digest of "parent's ChainID, a space, the
// DiffID" (OCI image-spec, config.md, "Layer ChainID"). The same layer on
// another parent is another tree, so a DiffID alone could not name it.
func ChainID(parent, diffID string) string {
	if parent == "" {
		return diffID
	}
	return digestOf([]byte(parent + " " + diffID))
}

// Top is the ChainID of the highest layer: the whole unpacked image, on which a
// container's writable layer is put. It is "" for an image without layers.
func (i Image) Top() string {
	if len(i.Layers) == 0 {
		return ""
	}
	return i.Layers[len(i.Layers)-1].ChainID
}

// fetcher gets the document that a descriptor stands for, verified. kind is
// where registries have it: "manifests", those and indexes, or "blobs".
type fetcher func(kind string, d v1.Descriptor) ([]byte, error)

// resolve follows the arrows from an index or a manifest to an image for a
// platform. The zero Platform means the host's, or what there is if there is
// nothing to choose from.
func resolve(raw []byte, want v1.Platform, fetch fetcher) (Image, error) {
	for isIndex(raw) {
		child, err := choose(raw, orHost(want))
		if err == nil {
			raw, err = fetch("manifests", child)
		}
		if err != nil {
			return Image{}, err
		}
	}
	var m v1.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return Image{}, fmt.Errorf("parse manifest: %w", err)
	}
	if m.SchemaVersion == 1 {
		return Image{}, errors.New("the registry has the image as schema 1 only, which was retired in 2016: push it anew")
	}
	config, err := fetch("blobs", m.Config)
	if err != nil {
		return Image{}, err
	}
	img, err := parse(raw, m, config)
	if err == nil && want.OS != "" && (img.Config.OS != want.OS || img.Config.Architecture != want.Architecture) {
		err = fmt.Errorf("%w: the image does not match the platform: wanted %s, actual: %s", ErrNotFound, want, img.Config.Platform())
	}
	return img, err
}

// parse joins a manifest and its config. Layers are where both meet: the
// manifest knows the blobs, the config what must come out of them.
func parse(raw []byte, m v1.Manifest, config []byte) (Image, error) {
	var c v1.ConfigFile
	if err := json.Unmarshal(config, &c); err != nil {
		return Image{}, fmt.Errorf("parse config: %w", err)
	}
	if len(m.Layers) != len(c.RootFS.DiffIDs) {
		return Image{}, fmt.Errorf("parse image: the manifest has %d layers, the config %d", len(m.Layers), len(c.RootFS.DiffIDs))
	}
	img := Image{ID: digestOf(config), Manifest: digestOf(raw), Config: &c, Created: c.Created.Time, documents: [][]byte{config, raw}}
	img.desc = v1.Descriptor{
		MediaType: cmp.Or(m.MediaType, types.OCIManifestSchema1), // Docker's always say it
		Digest:    hashOf(img.Manifest),
		Size:      int64(len(raw)),
		Platform:  c.Platform(),
	}
	for i, d := range m.Layers {
		l := Layer{Digest: d.Digest.String(), DiffID: c.RootFS.DiffIDs[i].String(), MediaType: d.MediaType, Size: d.Size, parent: img.Top()}
		if !digestRE(l.Digest) || !digestRE(l.DiffID) {
			return Image{}, fmt.Errorf("parse image: layer %d has no proper SHA-256 digest: %q, %q", i, l.Digest, l.DiffID)
		}
		l.ChainID = ChainID(l.parent, l.DiffID)
		img.Layers = append(img.Layers, l)
		img.Size += l.Size
	}
	return img, checkDigest(m.Config.Digest.String(), img.ID)
}

// load reads the image that a descriptor of index.json stands for. An index
// there (other tools write it) stands for its image for the host's platform.
func (s *Store) load(d v1.Descriptor) (Image, error) {
	if img, ok := s.parsed.Load(d.Digest); ok {
		return img.(Image), nil
	}
	raw, err := s.readBlob(d.Digest.String())
	if err != nil {
		return Image{}, err
	}
	img, err := resolve(raw, v1.Platform{}, func(_ string, d v1.Descriptor) ([]byte, error) { return s.readBlob(d.Digest.String()) })
	if err == nil {
		s.parsed.Store(d.Digest, img)
	}
	return img, err
}

// absent tells that an image of index.json is not here, or not any more: an
// image layout need not have all blobs, nor an index there an image for this
// platform; and a damaged one can only be pulled again.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrDigest)
}

// needs lists all blobs and unpacked layers of the image, and the indexes that it was chosen from.
func (i Image) needs() []string {
	digests := []string{i.ID, i.Manifest}
	for _, l := range i.Layers {
		digests = append(digests, l.Digest, l.ChainID)
	}
	for _, ref := range i.refs {
		digests = append(digests, ref.Digest)
	}
	return digests
}

// enter makes an image known whose layers are in the store, under all of its
// names at once.
func (s *Store) enter(img Image) (Image, error) {
	for _, document := range img.documents {
		if err := s.putBlob(document); err != nil {
			return Image{}, err
		}
	}
	err := s.update(func(index *v1.IndexManifest) error {
		keep(index, img.desc)
		for _, ref := range img.refs {
			setName(index, img.desc, ref)
		}
		return nil
	})
	if err != nil {
		return Image{}, err
	}
	now, err := s.current()
	if err != nil {
		return Image{}, err
	}
	return now.named(img), nil
}

// isIndex tells an index from a manifest by what is in it: what somebody says
// of a document may differ each time, and then it would be two images in one.
func isIndex(raw []byte) bool {
	var index struct{ Manifests []struct{} }
	return json.Unmarshal(raw, &index) == nil && index.Manifests != nil
}

// Step is one line of `docker history`: one instruction of a Dockerfile.
type Step struct {
	v1.History
	ID    string // of the image, on the newest line; the images in between are not kept: "<missing>"
	Layer *Layer // nil: an instruction that changed no files
}

// History tells how the image was made, the newest step first. It is what the
// image's author says: nothing verifies it.
func (i Image) History() []Step {
	steps := make([]Step, len(i.Config.History))
	layers := i.Layers
	for n, h := range i.Config.History {
		step := Step{History: h, ID: "<missing>"}
		if !h.EmptyLayer && len(layers) > 0 {
			step.Layer, layers = &layers[0], layers[1:]
		}
		steps[len(steps)-1-n] = step
	}
	if len(steps) > 0 {
		steps[0].ID = i.ID
	}
	return steps
}
