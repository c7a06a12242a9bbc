package images

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

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
// both list the same blobs. It is what `docker save` writes since 25.0. An image
// gets the name by which it was asked for, if it was one.
func (s *Store) Save(w io.Writer, refs ...string) error {
	dir, err := os.MkdirTemp(s.path(ingestDir), temporary)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	a := &archive{Store: Store{dir: dir}, index: v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}}
	for _, ref := range refs {
		if _, err := locked(s, func() (any, error) { return nil, a.add(s, ref) }); err != nil {
			return fmt.Errorf("save %s: %w", ref, err)
		}
	}
	list, err := json.Marshal(a.images)
	index, err2 := json.Marshal(a.index)
	if err := errors.Join(err, err2, os.WriteFile(a.path(archiveFile), list, 0o644),
		os.WriteFile(a.path(indexFile), index, 0o644), os.WriteFile(a.path(layoutFile), []byte(layoutVersion), 0o644)); err != nil {
		return err
	}
	tw := tar.NewWriter(w)
	return errors.Join(tw.AddFS(os.DirFS(dir)), tw.Close())
}

// archive is a directory that will be packed. Its blobs are those of the store
// under a second name, so that they stay here if they are removed there.
type archive struct {
	Store
	index  v1.IndexManifest
	images []archived
}

func (a *archive) add(from *Store, ref string) error {
	img, err := from.Get(ref)
	if err := errors.Join(err, os.MkdirAll(a.path(blobsDir), 0o755)); err != nil {
		return err
	}
	entry := archived{Config: blobName(img.ID)}
	for _, l := range img.Layers {
		entry.Layers = append(entry.Layers, blobName(l.Digest))
	}
	for _, blob := range append([]string{blobName(img.Manifest), entry.Config}, entry.Layers...) {
		if err := os.Link(from.path(blob), a.path(blob)); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	at := slices.IndexFunc(a.images, func(e archived) bool { return e.Config == entry.Config })
	if at < 0 {
		at = len(a.images)
		a.images = append(a.images, entry)
	}
	keep(&a.index, img.desc)
	if name, ok := img.named(ref); ok && name.Digest == "" {
		setName(&a.index, img.desc, name)
		a.images[at].RepoTags = append(a.images[at].RepoTags, name.Familiar())
	}
	return nil
}
