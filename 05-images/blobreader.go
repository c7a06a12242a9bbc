package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// blobReader reads a blob from a registry, from any place on, to its end. A
// connection that breaks is followed by another, which continues (RFC 9110,
// 14.2); only when several in a row bring nothing, there is an error.
type blobReader struct {
	*session
	ctx      context.Context
	digest   string
	at, size int64         // bytes: read so far, and in all
	body     io.ReadCloser // nil: no connection
}

// blob opens a layer's blob at the byte at.
func (s *session) blob(ctx context.Context, l Layer, at int64) (io.ReadCloser, error) {
	return &blobReader{session: s, ctx: ctx, digest: l.Digest, at: at, size: l.Size}, nil
}

// Read is that of [io.Reader].
func (b *blobReader) Read(p []byte) (n int, err error) {
	for pause := pauses; ; {
		if n, err = b.try(p); n > 0 || err == nil || errors.Is(err, io.EOF) && b.at == b.size {
			return n, err
		}
		b.Close()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if !again(b.ctx, &pause, err) {
			return 0, err
		}
	}
}

func (b *blobReader) try(p []byte) (n int, err error) {
	if b.body == nil {
		err = b.open()
	}
	if err == nil {
		n, err = b.body.Read(p)
	}
	if b.at += int64(n); b.at > b.size {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrSize, b.size)
	}
	if n > 0 {
		err = nil // it will come again
	}
	return n, err
}

func (b *blobReader) open() error {
	if b.at >= b.size { // all is there; if it is too much, its digest will be wrong
		return io.EOF
	}
	header := http.Header{}
	if b.at > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", b.at, b.size-1))
	}
	resp, err := b.get(b.ctx, b.ref.Path+"/blobs/"+b.digest, header) //nolint:bodyclose // Close does
	if err != nil {
		return err
	}
	b.body = resp.Body
	skip, whole := int64(0), b.at+resp.ContentLength
	if resp.StatusCode == http.StatusOK { // a registry need not know ranges
		skip, whole = b.at, resp.ContentLength
	}
	if resp.ContentLength >= 0 && whole != b.size {
		return fmt.Errorf("%w: %d bytes, not %d", ErrSize, whole, b.size)
	}
	_, err = io.CopyN(io.Discard, b.body, skip)
	return err
}

// Close ends the connection.
func (b *blobReader) Close() error {
	if b.body != nil {
		b.body.Close()
	}
	b.body = nil
	return nil
}
