package images

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

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
	defer func() {
		if err != nil {
			err = fmt.Errorf("load: %w", errors.Join(err, s.Sweep(SweepOptions{})))
		}
	}()
	f, err := os.CreateTemp(s.path(ingestDir), temporary)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	os.Remove(f.Name()) // it lives until it is closed
	files, err := tableOf(f, r)
	if err != nil {
		return nil, err
	}
	index, err := files.index()
	if err != nil {
		return nil, err
	}
	for _, d := range index.Manifests {
		a := arrival{Store: s, reporter: newReporter(o.loading), unpack: o.Unpack, blob: from(files.blob)}
		if a.Image, err = files.image(d, o.Platform); errors.Is(err, ErrNotFound) && o.Platform.OS != "" {
			continue // it is for another one
		}
		if err != nil {
			return loaded, err
		}
		img, err := a.run(context.Background())
		if err != nil {
			return loaded, err
		}
		img.Names = a.Names
		loaded = append(loaded, img)
	}
	if len(loaded) == 0 {
		err = fmt.Errorf("%w: the archive has none for %s", ErrNotFound, orHost(o.Platform))
	}
	return loaded, err
}

// loading tells of a layer that arrives in Docker's words for archives.
func (o LoadOptions) loading(p Progress) {
	if o.Progress != nil && p.Status == "Downloading" {
		p.Status = "Loading layer"
		o.Progress(p)
	}
}

// contents is the table of contents of an archive. The archive is not unpacked,
// so no name and no link in it can lead anywhere.
type contents map[string]*io.SectionReader

// tableOf copies an archive, decompressed, to a file, and finds out what is where in it.
func tableOf(f *os.File, archive io.Reader) (contents, error) {
	plain, err := Decompress(archive)
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	files, links := contents{}, map[string]string{}
	for tr := tar.NewReader(io.TeeReader(plain, f)); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		at, err := f.Seek(0, io.SeekCurrent) // a tar.Reader does not read ahead
		if err != nil {
			return nil, err
		}
		name := path.Clean(h.Name)
		if h.Typeflag == tar.TypeSymlink { // docker save, before 25.0, if another image has the layer too
			links[name] = path.Join(path.Dir(name), h.Linkname)
		}
		files[name] = io.NewSectionReader(f, at, h.Size)
	}
	for name, target := range links {
		files[name] = files[target]
	}
	_, err = io.Copy(io.Discard, plain) // it may be damaged behind the tar's end
	return files, err
}

func (c contents) open(name string) (io.ReadCloser, error) {
	f := c[path.Clean(name)]
	if f == nil {
		return nil, fmt.Errorf("%q: %w", name, os.ErrNotExist)
	}
	return io.NopCloser(io.NewSectionReader(f, 0, f.Size())), nil
}

func (c contents) blob(l Layer) (io.ReadCloser, error) { return c.open(blobName(l.Digest)) }

func (c contents) read(name string) ([]byte, error) {
	f, err := c.open(name)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(f)
}

// document reads a manifest, an index or a config.
func (c contents) document(_ string, d v1.Descriptor) ([]byte, error) {
	raw, err := c.read(blobName(d.Digest.String()))
	if err != nil {
		return nil, err
	}
	return raw, checkDigest(d.Digest.String(), digestOf(raw))
}

func (c contents) image(d v1.Descriptor, platform v1.Platform) (img Image, err error) {
	raw, err := c.document("", d)
	if err == nil {
		img, err = resolve(raw, platform, c.document)
	}
	if ref, ok := nameOf(d); ok && ref.Digest == "" {
		img.addName(ref)
	}
	return img, err
}

// index is that of an OCI image layout, or what it would be for a docker-archive.
func (c contents) index() (index v1.IndexManifest, err error) {
	file, list := indexFile, any(&index)
	var images []archived
	if c[indexFile] == nil {
		file, list = archiveFile, &images
	}
	raw, err := c.read(file)
	if err != nil {
		return index, fmt.Errorf("neither %s nor %s in the archive", indexFile, archiveFile)
	}
	if err := json.Unmarshal(raw, list); err != nil {
		return index, fmt.Errorf("parse %s: %w", file, err)
	}
	for _, entry := range images {
		if err := c.convert(entry, &index); err != nil {
			return index, err
		}
	}
	return index, nil
}

// convert makes an image of a docker-archive one of an OCI image layout: it names
// the blobs by their digests, and writes the manifest. The ID stays the same.
func (c contents) convert(entry archived, index *v1.IndexManifest) error {
	layers := make([]v1.Descriptor, len(entry.Layers))
	for i, name := range entry.Layers {
		f, err := c.open(name)
		if err != nil {
			return err
		}
		layers[i].MediaType = types.OCIUncompressedLayer
		if layers[i].Digest, layers[i].Size, err = v1.SHA256(f); err != nil {
			return err
		}
		c[blobName(layers[i].Digest.String())] = c[path.Clean(name)]
	}
	config, err := c.read(entry.Config)
	if err != nil {
		return err
	}
	img, err := compose(config, layers)
	if err != nil {
		return err
	}
	for _, document := range img.documents {
		c[blobName(digestOf(document))] = io.NewSectionReader(bytes.NewReader(document), 0, int64(len(document)))
	}
	keep(index, img.desc)
	for _, tag := range entry.RepoTags {
		ref, err := parseTag(tag)
		if err != nil {
			return err
		}
		setName(index, img.desc, ref)
	}
	return nil
}
