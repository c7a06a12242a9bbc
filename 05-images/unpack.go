package images

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// Unpacker keeps unpacked layers. Apply unpacks a tar on top of parent ("" for
// none), and must read r to its end: if r returns an error there, the layer
// was not what its digest promises, and must not be kept. Apply returns the
// bytes that the layer takes. unionfs.Store is one.
type Unpacker interface {
	Has(chainID string) bool
	Apply(chainID, parent string, r io.Reader) (int64, error)
}

const pipeSize = 256 << 10 // bytes

// Unpack gives u all layers of the image that it lacks, from the stored blobs.
func (s *Store) Unpack(img Image, u Unpacker) error {
	for _, l := range img.Layers {
		if u.Has(l.ChainID) {
			continue
		}
		if err := s.unpackStored(l, u); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) unpackStored(l Layer, u Unpacker) error {
	f, err := os.Open(s.blobPath(l.Digest))
	if err != nil {
		return fmt.Errorf("unpack layer %s: %w", short(l.Digest), err)
	}
	defer f.Close()
	return l.unpack(f, u)
}

// unpack reads a layer's blob, decompresses it, and lets u apply the tar. The
// decompressing, with the hashing, runs beside the applying: both are slow.
func (l Layer) unpack(blob io.Reader, u Unpacker) error {
	tar, err := Decompress(blob)
	if err != nil {
		return fmt.Errorf("unpack layer %s: %w", short(l.Digest), err)
	}
	defer tar.Close()
	r, w := io.Pipe()
	hashed := make(chan struct{})
	go func() {
		defer close(hashed)
		w.CloseWithError(l.copyVerified(w, tar))
	}()
	buffered := bufio.NewReaderSize(r, pipeSize)
	if _, err = u.Apply(l.ChainID, l.parent, buffered); err == nil {
		_, err = io.Copy(io.Discard, buffered) // nothing is left, if Apply kept its promise
	}
	r.Close()
	<-hashed // nobody reads from blob any more
	if err != nil {
		return fmt.Errorf("unpack layer %s: %w", short(l.Digest), err)
	}
	return nil
}

// copyVerified copies a tar, and returns an error at its end if the tar is
// not the one that the config promises.
func (l Layer) copyVerified(w io.Writer, tar io.Reader) error {
	sum := sha256.New()
	if _, err := io.CopyBuffer(io.MultiWriter(sum, w), onlyReader{tar}, make([]byte, pipeSize)); err != nil {
		return err
	}
	if err := checkDigest(l.DiffID, sumOf(sum)); err != nil {
		return fmt.Errorf("DiffID: %w", err)
	}
	return nil
}

// onlyReader hides WriteTo, which would copy in the reader's own, smaller pieces.
type onlyReader struct{ io.Reader }

// Decompress recognises how a stream is packed by its first bytes, as Docker
// does: media types and names are not always true. What is in none of gzip,
// zstd, bzip2 and xz comes as it is.
func Decompress(r io.Reader) (io.ReadCloser, error) {
	b := bufio.NewReaderSize(r, pipeSize)
	magic, err := b.Peek(6)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}): // RFC 1952
		return gzip.NewReader(b)
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}): // RFC 8878
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	case bytes.HasPrefix(magic, []byte("BZh")):
		return io.NopCloser(bzip2.NewReader(b)), nil
	case bytes.HasPrefix(magic, []byte{0xfd, '7', 'z', 'X', 'Z', 0}): // root file systems come as tar.xz
		x, err := xz.NewReader(b)
		return io.NopCloser(x), err
	}
	return io.NopCloser(b), nil
}
