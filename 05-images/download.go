package images

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// download is one blob on its way into the store. It goes to ingest/HEX, which
// only grows: what a broken connection or a killed process leaves is
// continued. Readers follow the file while it grows, so a layer is unpacked
// while it arrives, and a slow reader does not slow the connection.
//
//	registry ──► ingest/HEX ──► verified: blobs/sha256/HEX
//	                 └──► follower ──► gunzip, DiffID ──► Unpacker
type download struct {
	*arrival
	layer Layer

	changed *sync.Cond // one of the following has; its lock guards them
	file    *os.File   // stays readable when it is renamed
	ready   int64      // bytes that may be read
	done    bool       // the blob is whole and verified, or err is set
	err     error
}

func (d *download) set(change func()) {
	d.changed.L.Lock()
	defer d.changed.L.Unlock()
	change()
	d.changed.Broadcast()
}

// run fetches what is missing of the blob, and verifies all of it.
func (d *download) run(ctx context.Context) error {
	file, err := d.open(ctx)
	if err == nil {
		d.set(func() { d.file = file })
		err = d.fetch(ctx)
	}
	if err != nil {
		err = fmt.Errorf("get layer %s: %w", short(d.layer.Digest), err)
	} else {
		d.tell(d.layer, "Download complete", 0)
	}
	d.set(func() { d.done, d.err = true, err })
	return err
}

// open opens the arriving file and waits until no other pull writes to it.
func (d *download) open(ctx context.Context) (*os.File, error) {
	name := d.path(ingestDir + "/" + strings.TrimPrefix(d.layer.Digest, "sha256:"))
	for {
		if d.hasBlob(d.layer.Digest, d.layer.Size) { // another pull has just put it there
			return os.Open(d.blobPath(d.layer.Digest))
		}
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, err
		}
		if err = flock(f, unix.LOCK_EX|unix.LOCK_NB); err == nil && isNamed(f) {
			return f, nil
		}
		f.Close()
		if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
			d.tell(d.layer, "Waiting", 0)
		}
	}
}

// isNamed tells whether the file still has its name: the one who held the lock
// before may have made it a blob, or removed it.
func isNamed(f *os.File) bool {
	open, err := f.Stat()
	named, err2 := os.Stat(f.Name())
	return err == nil && err2 == nil && os.SameFile(open, named)
}

// fetch continues the file to its end. A connection that breaks is followed by
// another; only when several in a row bring nothing, there is an error.
func (d *download) fetch(ctx context.Context) error {
	sum := sha256.New()
	left, err := io.Copy(sum, d.file) // by an earlier pull
	if err != nil {
		return err
	}
	d.set(func() { d.ready = left })
	to := io.MultiWriter(d.file, sum, writerFunc(d.arrived))
	for pause, at := pauses, left; ; at = d.ready {
		err = d.more(ctx, to)
		if at < d.ready {
			pause = pauses
		}
		short := err == nil && at < d.ready && d.ready < d.layer.Size // who did not tell a length can break in good order
		if !short && !again(ctx, &pause, err) {
			break
		}
	}
	if err == nil {
		d.tell(d.layer, "Verifying Checksum", 0)
		err = checkDigest(d.layer.Digest, sumOf(sum))
	}
	if errors.Is(err, ErrSize) || errors.Is(err, ErrDigest) { // there is no use in continuing this
		os.Remove(d.file.Name())
		if left > 0 {
			err = fmt.Errorf("%w (what was left from before may be damaged; it is removed, pull again)", err)
		}
	}
	if err != nil || d.file.Name() == d.blobPath(d.layer.Digest) {
		return err
	}
	if err := d.file.Sync(); err != nil {
		return err
	}
	return rename(d.file.Name(), d.blobPath(d.layer.Digest))
}

// more adds to the file what one connection brings.
func (d *download) more(ctx context.Context, to io.Writer) error {
	if d.ready >= d.layer.Size { // all is there; if it is too much, its digest will be wrong
		return nil
	}
	rest, err := d.blob(ctx, d.layer, d.ready)
	if err != nil {
		return err
	}
	defer rest.Close()
	_, err = io.CopyBuffer(to, rest, make([]byte, pipeSize))
	return err
}

func (d *download) arrived(p []byte) (int, error) {
	d.set(func() { d.ready += int64(len(p)) })
	d.tell(d.layer, "Downloading", d.ready)
	if d.ready > d.layer.Size {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrSize, d.layer.Size)
	}
	return len(p), nil
}

// finish waits until the layer is there, and has it unpacked meanwhile.
func (d *download) finish(ctx context.Context) error {
	if d.unpack != nil && !d.unpack.Has(d.layer.ChainID) {
		return d.layer.unpack(&follower{download: d, ctx: ctx}, d.unpack)
	}
	d.changed.L.Lock()
	defer d.changed.L.Unlock()
	for !d.done {
		d.changed.Wait()
	}
	return d.err
}

// follower reads the file as it grows. It ends with io.EOF only when the whole
// blob was there and had the right digest: what was read before, nobody may keep.
type follower struct {
	*download
	ctx    context.Context
	at     int64
	closed error // from Close on
}

// Close ends a Read that waits.
func (f *follower) Close() error {
	f.set(func() { f.closed = os.ErrClosed })
	return nil
}

// Read waits for the next bytes.
func (f *follower) Read(p []byte) (int, error) {
	f.changed.L.Lock()
	for f.at >= f.ready && !f.done && f.closed == nil {
		f.changed.Wait()
	}
	file, ready, done, err := f.file, f.ready, f.done, errors.Join(f.ctx.Err(), f.closed, f.err)
	f.changed.L.Unlock()
	if err != nil {
		return 0, err
	}
	if f.at >= ready {
		return 0, io.EOF
	}
	n, err := file.ReadAt(p[:min(int64(len(p)), ready-f.at)], f.at)
	f.at += int64(n)
	if done {
		f.tell(f.layer, "Extracting", f.at)
	}
	return n, err
}
