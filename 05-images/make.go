package images

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
)

// Draft is an image in the making: one more layer on top of another image, and how to run it.
type Draft struct {
	Below  Image         // what it stands on; the zero Image: nothing
	Layer  io.Reader     // changes to the files below: a tar, packed or not; nil: none
	Config v1.ConfigFile // of the new image; RootFS and History are worked out
	Step   v1.History    // what is added to the history of the image below
	Name   string        // "" = none
	// Hold is told the ID before the image is there, so that [RemoveOptions.InUse] can know of it. Nil: nobody needs it.
	Hold func(id string)
}

// emptyTar is the DiffID of an archive without entries: two blocks of zeros.
const emptyTar = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

// Make makes the image of a draft, names it, and unpacks it unless u is nil.
// The layer is read once, packed with gzip while it is; one without entries is
// not kept. A Make that fails leaves nothing. The error wraps [ErrReference] for
// a bad name, [ErrNotFound] if the image below was removed meanwhile.
func (s *Store) Make(d Draft, u Unpacker) (Image, error) {
	img, err := s.make(d, u)
	if err != nil {
		return Image{}, fmt.Errorf("make image: %w", errors.Join(err, s.Sweep(SweepOptions{})))
	}
	return img, nil
}

func (s *Store) make(d Draft, u Unpacker) (img Image, err error) {
	if err := new(Image).call(d.Name); err != nil { // before the layer is read
		return img, err
	}
	layers := slices.Clone(d.Below.Layers)
	if d.Layer != nil {
		own, release, err := s.pack(d.Layer)
		if release != nil {
			defer release()
		}
		if err == nil {
			layers = append(layers, own)
		} else if !errors.Is(err, errEmpty) {
			return img, err
		}
	}
	d.Step.EmptyLayer = len(layers) == len(d.Below.Layers)
	img, err = d.image(layers)
	if err := errors.Join(err, img.call(d.Name)); err != nil {
		return img, err
	}
	if d.Hold != nil {
		d.Hold(img.ID)
	}
	a := arrival{Store: s, reporter: newReporter(nil), Image: img, unpack: u, blob: from(func(Layer) (io.ReadCloser, error) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, short(d.Below.ID)) // a layer of the image below is gone
	})}
	return a.run(context.Background())
}

var errEmpty = errors.New("an archive without entries")

// pack stores a layer. Nobody removes its blob until release is called, which
// must be, also after an error, unless it is nil.
func (s *Store) pack(layer io.Reader) (l Layer, release func(), err error) {
	plain, err := Decompress(layer)
	if err != nil {
		return l, release, err
	}
	defer plain.Close()
	err = s.atomically(func(f *os.File) (string, error) {
		blob, tar := sha256.New(), sha256.New()
		zip, _ := gzip.NewWriterLevel(io.MultiWriter(f, blob), gzip.BestSpeed)                                // fails for a level that there is not
		_, err := io.CopyBuffer(io.MultiWriter(zip, tar), struct{ io.Reader }{plain}, make([]byte, pipeSize)) // its WriteTo would copy in smaller pieces
		if err = errors.Join(err, zip.Close()); err != nil {
			return "", err
		}
		l = Layer{Digest: sumOf(blob), DiffID: sumOf(tar), MediaType: types.OCILayer}
		if l.DiffID == emptyTar {
			return "", errEmpty
		}
		if l.Size, err = f.Seek(0, io.SeekCurrent); err != nil {
			return "", err
		}
		release, err = s.lease([]string{l.Digest})
		return s.blobPath(l.Digest), err
	})
	return l, release, err
}

// image writes the documents.
func (d Draft) image(layers []Layer) (Image, error) {
	config := d.Config
	config.RootFS = v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{}}
	config.History = []v1.History{}
	if below := d.Below.Config; below != nil {
		config.History = append(config.History, below.History...)
	}
	config.History = append(config.History, d.Step)
	blobs := []v1.Descriptor{}
	for _, l := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, hashOf(l.DiffID))
		blobs = append(blobs, v1.Descriptor{MediaType: ociLayer(l.MediaType), Digest: hashOf(l.Digest), Size: l.Size})
	}
	rawConfig, err := json.Marshal(config)
	if err != nil {
		return Image{}, err
	}
	return compose(rawConfig, blobs)
}

// compose makes an image of its config and its layers, with an OCI manifest.
func compose(config []byte, layers []v1.Descriptor) (Image, error) {
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Layers: layers}
	m.Config = v1.Descriptor{MediaType: types.OCIConfigJSON, Digest: hashOf(digestOf(config)), Size: int64(len(config))}
	raw, err := json.Marshal(m)
	if err != nil {
		return Image{}, err
	}
	return parse(raw, m, config)
}

func hashOf(digest string) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: strings.TrimPrefix(digest, "sha256:")}
}

// ociLayer is the OCI's name for what Docker calls a kind of layer: an image of
// ours has an OCI manifest, whatever the image below had.
func ociLayer(kind types.MediaType) types.MediaType {
	return cmp.Or(map[types.MediaType]types.MediaType{
		types.DockerLayer: types.OCILayer, types.DockerUncompressedLayer: types.OCIUncompressedLayer,
	}[kind], kind)
}
