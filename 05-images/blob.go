package images

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// ErrDigest is wrapped by errors about bytes that are not what their digest
// says: damaged on the way or on disk, or swapped by someone.
var ErrDigest = errors.New("digest mismatch")

// blobPath is where the blob with this digest is. A digest from outside was
// checked by v1.Hash or digestRE before, so it has no "../".
func (s *Store) blobPath(digest string) string {
	return s.path("blobs/" + strings.Replace(digest, ":", "/", 1))
}

func (s *Store) hasBlob(digest string, size int64) bool {
	st, err := os.Stat(s.blobPath(digest))
	return err == nil && st.Mode().IsRegular() && st.Size() == size
}

// readBlob returns a small blob (a manifest, an index, a config), verified.
func (s *Store) readBlob(digest string) ([]byte, error) {
	b, err := os.ReadFile(s.blobPath(digest))
	if err != nil {
		return nil, err
	}
	return b, verify(digest, b)
}

func verify(digest string, b []byte) error {
	hash, err := v1.NewHash(digest)
	if err != nil {
		return err
	}
	hasher, err := v1.Hasher(hash.Algorithm)
	if err != nil {
		return err
	}
	hasher.Write(b)
	if got := fmt.Sprintf("%s:%x", hash.Algorithm, hasher.Sum(nil)); got != digest {
		return fmt.Errorf("%w: expected %s, got %s", ErrDigest, digest, got)
	}
	return nil
}

// putBlob stores a small blob that was verified.
func (s *Store) putBlob(digest string, b []byte) error {
	if s.hasBlob(digest, int64(len(b))) {
		return nil
	}
	return writeFile(s.blobPath(digest), b)
}

// putJSON stores v as a blob and describes it.
func (s *Store) putJSON(v any) (v1.Descriptor, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return v1.Descriptor{}, err
	}
	hash, size, err := v1.SHA256(bytes.NewReader(b))
	if err != nil {
		return v1.Descriptor{}, err
	}
	return v1.Descriptor{Digest: hash, Size: size}, s.putBlob(hash.String(), b)
}

// copyBlob stores what r yields under its digest, which is known only at the
// end; want, if not "", must be equal to it.
func (s *Store) copyBlob(want string, r io.Reader) (v1.Descriptor, error) {
	f, err := os.CreateTemp(s.path(ingestDir), ".tmp-")
	if err != nil {
		return v1.Descriptor{}, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	hash, size, err := v1.SHA256(io.TeeReader(r, f))
	if err != nil {
		return v1.Descriptor{}, err
	}
	if want != "" && want != hash.String() {
		return v1.Descriptor{}, fmt.Errorf("%w: expected %s, got %s", ErrDigest, want, hash)
	}
	if err := errors.Join(f.Chmod(0o644), f.Sync()); err != nil {
		return v1.Descriptor{}, err
	}
	return v1.Descriptor{Digest: hash, Size: size}, rename(f.Name(), s.blobPath(hash.String()))
}

// image reads the image that a descriptor of index.json stands for. An index
// (as other tools write it) stands for its image for the host's platform.
func (s *Store) image(d v1.Descriptor) (Image, error) {
	raw, err := s.readBlob(d.Digest.String())
	if err != nil {
		return Image{}, err
	}
	if d.MediaType.IsIndex() {
		child, err := choose(raw, HostPlatform())
		if err != nil {
			return Image{}, err
		}
		return s.image(child)
	}
	var m v1.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return Image{}, fmt.Errorf("parse manifest %s: %w", d.Digest, err)
	}
	config, err := s.readBlob(m.Config.Digest.String())
	if err != nil {
		return Image{}, err
	}
	return newImage(d.Digest.String(), raw, config)
}

func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }
