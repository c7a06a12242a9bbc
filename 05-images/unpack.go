package images

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/readahead"
	"github.com/xi2/xz"
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
		blob, err := os.Open(s.blobPath(l.Digest))
		if err == nil {
			err = l.unpack(blob, u)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unpack reads a layer's blob, decompresses it, and lets u apply the tar. The
// decompressing runs ahead of the hashing and the applying: it is the slower
// for a large file, and the faster for many small ones. In the end blob is closed.
func (l Layer) unpack(blob io.ReadCloser, u Unpacker) error {
	tar, err := Decompress(blob)
	if err == nil {
		tar, err = readahead.NewReadCloserSize(tar, 16, pipeSize) // pieces that stay in a processor's cache
	}
	if err != nil {
		return fmt.Errorf("unpack layer %s: %w", short(l.Digest), errors.Join(err, blob.Close()))
	}
	defer tar.Close()  // waits until nobody reads from blob any more
	defer blob.Close() // comes first, for who reads ahead may be waiting for a registry
	checked := &verified{tar, l, sha256.New()}
	if _, err = u.Apply(l.ChainID, l.parent, checked); err == nil {
		_, err = io.Copy(io.Discard, checked) // nothing is left, if Apply kept its promise
	}
	if err != nil {
		return fmt.Errorf("unpack layer %s: %w", short(l.Digest), err)
	}
	return nil
}

// verified is the tar of a layer.
type verified struct {
	io.Reader
	layer Layer
	sum   hash.Hash // of what was read
}

// Read returns an error in place of [io.EOF] if the tar was not the one that
// the config promises.
func (v *verified) Read(p []byte) (int, error) {
	n, err := v.Reader.Read(p)
	v.sum.Write(p[:n])
	if errors.Is(err, io.EOF) {
		if wrong := checkDigest(v.layer.DiffID, sumOf(v.sum)); wrong != nil {
			return n, fmt.Errorf("DiffID: %w", wrong)
		}
	}
	return n, err
}

// mostMemory is how many bytes of what has been a stream may refer back to; what
// wants more is refused. "xz -9" wants 64 MB, "zstd --long" 128 MB, and a hostile
// header of 12 bytes 4 GB, at which Go gives up the whole process.
const mostMemory = 128 << 20

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
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(mostMemory))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	case bytes.HasPrefix(magic, []byte("BZh")):
		return io.NopCloser(bzip2.NewReader(b)), nil
	case bytes.HasPrefix(magic, []byte{0xfd, '7', 'z', 'X', 'Z', 0}): // root file systems come as tar.xz
		x, err := xz.NewReader(b, mostMemory)
		return io.NopCloser(x), err
	}
	return io.NopCloser(b), nil
}
