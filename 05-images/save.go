package images

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const archiveFile = "manifest.json" // makes an archive a docker-archive

// archived is one image in manifest.json.
type archived struct {
	Config   string // names of files in the archive
	RepoTags []string
	Layers   []string
}

// Save writes images as one tar archive that is two formats in one: an OCI
// image layout and, by its manifest.json, the docker-archive of `docker load`;
// both list the same blobs. It is what `docker save` writes since 25.0.
func (s *Store) Save(w io.Writer, refs ...string) error {
	a := &saver{
		Store: s, tar: tar.NewWriter(w), written: map[string]bool{},
		index: v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex},
	}
	for _, ref := range refs {
		if err := a.image(ref); err != nil {
			return fmt.Errorf("save %s: %w", ref, err)
		}
	}
	index, err := json.Marshal(a.index)
	list, err2 := json.Marshal(a.images)
	return errors.Join(err, err2, a.bytes(layoutFile, []byte(layoutVersion)),
		a.bytes(indexFile, index), a.bytes(archiveFile, list), a.tar.Close())
}

type saver struct {
	*Store
	tar     *tar.Writer
	written map[string]bool // by digest
	index   v1.IndexManifest
	images  []archived
}

// image adds an image, under the name by which it was asked for, if it was one.
func (a *saver) image(ref string) error {
	img, err := a.Get(ref)
	if err != nil {
		return err
	}
	release, err := a.lease(img.needs())
	if err != nil {
		return err
	}
	defer release()
	entry := archived{Config: blobName(img.ID)}
	for _, l := range img.Layers {
		entry.Layers = append(entry.Layers, blobName(l.Digest))
	}
	for _, name := range append([]string{blobName(img.Manifest), entry.Config}, entry.Layers...) {
		if err := a.blob(name); err != nil {
			return err
		}
	}
	keep(&a.index, img.desc)
	if name, ok := img.named(ref); ok {
		setName(&a.index, img.desc, name)
		entry.RepoTags = []string{name.Familiar()}
	}
	a.images = append(a.images, entry)
	return nil
}

func (a *saver) bytes(name string, content []byte) error {
	return a.file(&tar.Header{Name: name, Size: int64(len(content))}, bytes.NewReader(content))
}

func (a *saver) file(h *tar.Header, content io.Reader) error {
	h.Mode = 0o644
	err := a.tar.WriteHeader(h)
	if err == nil {
		_, err = io.Copy(a.tar, content)
	}
	return err
}

func (a *saver) blob(name string) error {
	if a.written[name] {
		return nil
	}
	a.written[name] = true
	f, err := os.Open(a.path(name))
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	return a.file(&tar.Header{Name: name, Size: st.Size()}, f)
}
