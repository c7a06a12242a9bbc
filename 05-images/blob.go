package images

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"os"
	"path"
	"strings"
)

// ErrDigest is wrapped by errors about bytes that are not what their digest
// says: damaged on the way or on disk, or swapped by someone.
var ErrDigest = errors.New("digest mismatch")

func digestOf(b []byte) string {
	sum := sha256.New()
	sum.Write(b)
	return sumOf(sum)
}

func sumOf(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

// short is how people see a digest: Docker's twelve digits.
func short(digest string) string { return strings.TrimPrefix(digest, "sha256:")[:12] }

func checkDigest(want, got string) error {
	if want != got {
		return fmt.Errorf("%w: expected %s, got %s", ErrDigest, want, got)
	}
	return nil
}

// blobName is where the blob with this digest is, in a store and in an archive.
// A digest comes from outside: only its last element is believed.
func blobName(digest string) string {
	return path.Join(blobsDir, path.Base(strings.TrimPrefix(digest, "sha256:")))
}

func (s *Store) blobPath(digest string) string {
	return s.path(blobName(digest))
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
	return b, checkDigest(digest, digestOf(b))
}

// putBlob stores a small blob, also in place of a damaged one.
func (s *Store) putBlob(b []byte) error {
	if _, err := s.readBlob(digestOf(b)); err == nil {
		return nil
	}
	return s.writeFile(s.blobPath(digestOf(b)), b)
}
