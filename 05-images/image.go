package images

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Image is one image of a [Store]. Config is shared between all copies and
// must not be changed.
type Image struct {
	ID       string   // "sha256:…", the digest of the config
	Manifest string   // "sha256:…", the digest of the manifest
	Names    []string // "alpine:latest": Docker's RepoTags
	Digests  []string // "alpine@sha256:…": Docker's RepoDigests
	Config   *v1.ConfigFile
	Layers   []Layer // the base first
	Created  time.Time
	Size     int64 // bytes, of the layers as they are stored, compressed or not
}

// Layer is one layer of an [Image]: one tar archive under three names.
type Layer struct {
	Digest    string // of the blob: of the bytes that travel and are stored, compressed or not
	DiffID    string // of the tar inside the blob; the config lists it
	ChainID   string // of this layer on top of all those below: names an unpacked layer
	MediaType string
	Size      int64 // bytes of the blob
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

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// newImage joins a manifest and its config. Layers are where both meet: the
// manifest knows the blobs, the config what must come out of them.
func newImage(digest string, rawManifest, rawConfig []byte) (Image, error) {
	var m v1.Manifest
	var c v1.ConfigFile
	if err := json.Unmarshal(rawManifest, &m); err != nil {
		return Image{}, fmt.Errorf("parse manifest %s: %w", digest, err)
	}
	if err := json.Unmarshal(rawConfig, &c); err != nil {
		return Image{}, fmt.Errorf("parse config %s: %w", m.Config.Digest, err)
	}
	if len(m.Layers) != len(c.RootFS.DiffIDs) {
		return Image{}, fmt.Errorf("manifest %s lists %d layers, its config %d", digest, len(m.Layers), len(c.RootFS.DiffIDs))
	}
	img := Image{ID: m.Config.Digest.String(), Manifest: digest, Config: &c, Created: c.Created.Time}
	parent := ""
	for i, d := range m.Layers {
		l := Layer{Digest: d.Digest.String(), DiffID: c.RootFS.DiffIDs[i].String(), MediaType: string(d.MediaType), Size: d.Size}
		l.ChainID = ChainID(parent, l.DiffID)
		parent = l.ChainID
		img.Layers = append(img.Layers, l)
		img.Size += l.Size
	}
	return img, nil
}

// TopChainID names the whole unpacked image: what a container's writable
// layer is put on. It is "" for an image without layers.
func (i Image) TopChainID() string {
	if len(i.Layers) == 0 {
		return ""
	}
	return i.Layers[len(i.Layers)-1].ChainID
}
