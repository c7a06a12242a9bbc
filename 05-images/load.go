package images

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// LoadOptions are all optional.
type LoadOptions struct {
	Unpack   Unpacker       // nil: DiffIDs are not verified
	Platform v1.Platform    // zero: all images, whatever they are for
	Progress func(Progress) // of layers that are new; never called twice at once
}

// Load adds the images of an archive, compressed or not, in either format: what
// Save, `docker save` (any version), skopeo and others write. Digests are
// verified. The images are returned with those Names that the archive gives them.
// An archive that cannot be read to its end adds nothing.
func (s *Store) Load(r io.Reader, o LoadOptions) (loaded []Image, err error) {
	dir, err := os.MkdirTemp(s.path(ingestDir), temporary)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	root, err := os.OpenRoot(dir) // no name in the archive leads out of it, nor does a symlink
	if err != nil {
		return nil, err
	}
	defer root.Close()
	all, err := o.read(root, r)
	for _, a := range all {
		a.open = func(i int) (io.ReadCloser, error) { return root.Open(a.files[i]) }
		a.unpack, a.report = o.Unpack, newReporter(o.Progress)
		var img Image
		if img, err = s.add(a.addition); err != nil {
			break
		}
		img.Names = a.Names
		loaded = append(loaded, img)
	}
	if err != nil {
		return loaded, fmt.Errorf("load: %w", errors.Join(err, s.Sweep(SweepOptions{})))
	}
	return loaded, nil
}

// found is an image in an archive.
type found struct {
	addition
	files []string // names of the layers' blobs there
}

// read unpacks an archive, and finds the images in it that are for the platform.
func (o LoadOptions) read(root *os.Root, r io.Reader) (all []found, err error) {
	if err = extract(root, r); err != nil {
		return nil, err
	}
	if all, err = readLayout(root); errors.Is(err, os.ErrNotExist) {
		all, err = readArchive(root)
	}
	if err != nil || o.Platform.OS == "" {
		return all, err
	}
	all = slices.DeleteFunc(all, func(a found) bool {
		return a.Config.OS != o.Platform.OS || a.Config.Architecture != o.Platform.Architecture
	})
	if len(all) == 0 {
		err = fmt.Errorf("%w: the archive has none for %s", ErrNotFound, o.Platform)
	}
	return all, err
}

func extract(root *os.Root, r io.Reader) error {
	plain, err := decompress(r)
	if err != nil {
		return err
	}
	defer plain.Close()
	for tr := tar.NewReader(plain); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := extractFile(root, h, tr); err != nil {
			return err
		}
	}
}

func extractFile(root *os.Root, h *tar.Header, r io.Reader) error {
	name := path.Clean(h.Name)
	if h.Typeflag != tar.TypeReg && path.Base(name) != "layer.tar" {
		return nil
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeSymlink { // docker save, before 25.0, if another image has the layer too
		return root.Symlink(h.Linkname, name)
	}
	f, err := root.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// readLayout reads an OCI image layout, as a store that somebody else wrote.
func readLayout(root *os.Root) (all []found, err error) {
	from := &Store{dir: root.Name()}
	index, err := from.readIndex()
	if err != nil {
		return nil, err
	}
	for _, d := range index.Manifests {
		var one found
		if one.Image, err = from.load(d); err != nil {
			return nil, fmt.Errorf("image %s: %w", d.Digest, err)
		}
		if ref, ok := nameOf(d); ok && ref.Digest == "" {
			one.addName(ref)
		}
		for _, l := range one.Layers {
			one.files = append(one.files, blobName(l.Digest))
		}
		all = append(all, one)
	}
	return all, nil
}

// readArchive reads a docker-archive. It has no manifests; as an image needs
// one here, it is made of the config and the layers, with the same ID.
func readArchive(root *os.Root) (all []found, err error) {
	b, err := root.ReadFile(archiveFile)
	if err != nil {
		return nil, fmt.Errorf("neither %s nor %s in the archive", indexFile, archiveFile)
	}
	var list []archived
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("parse %s: %w", archiveFile, err)
	}
	for _, entry := range list {
		one := found{files: entry.Layers}
		if one.Image, err = entry.read(root); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func (a archived) read(root *os.Root) (img Image, err error) {
	layers := make([]v1.Descriptor, len(a.Layers))
	for i, name := range a.Layers {
		f, err := root.Open(name)
		if err != nil {
			return img, err
		}
		layers[i].MediaType = types.OCIUncompressedLayer
		layers[i].Digest, layers[i].Size, err = v1.SHA256(f)
		f.Close()
		if err != nil {
			return img, err
		}
	}
	config, err := root.ReadFile(a.Config)
	if err != nil {
		return img, err
	}
	if img, err = compose(config, layers); err != nil {
		return img, err
	}
	for _, tag := range a.RepoTags {
		if err := img.call(tag); err != nil {
			return img, err
		}
	}
	return img, nil
}
