package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
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
	store  *Store
	layer  Layer
	slots  chan struct{} // room for as many downloads as may run at once
	tell   func(status string, current int64)
	length int64     // bytes in the file; only run looks at it
	sum    hash.Hash // of them
	watch  *time.Timer

	mu      sync.Mutex
	changed sync.Cond // one of the following has
	file    *os.File  // stays readable when it is renamed
	ready   int64     // bytes that may be read
	done    bool      // the blob is whole and verified, or err is set
	err     error
}

func (d *download) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
	d.changed.Broadcast()
}

// run fetches what is missing of the blob, and verifies all of it.
func (d *download) run(ctx context.Context, from *session) (err error) {
	defer func() {
		d.set(func() { d.done, d.err = true, err })
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	}
	file, err := d.open(ctx)
	if err != nil {
		return err
	}
	d.set(func() { d.file = file })
	if err := d.fetch(ctx, from); err != nil {
		return fmt.Errorf("download %s: %w", short(d.layer.Digest), err)
	}
	d.tell(StatusDownloaded, 0)
	return nil
}

// fetch continues the file to its end. If there is a whole blob already, another
// pull has just put it there, and the file is a new, empty one.
func (d *download) fetch(ctx context.Context, from *session) (err error) {
	if d.store.hasBlob(d.layer.Digest, d.layer.Size) {
		os.Remove(d.file.Name())
		blob, err := os.Open(d.store.blobPath(d.layer.Digest))
		if err == nil {
			d.file.Close()
			d.set(func() { d.file, d.ready = blob, d.layer.Size })
		}
		return err
	}
	d.sum = sha256.New()
	if d.length, err = io.Copy(d.sum, d.file); err != nil {
		return err
	}
	left := d.length // by an earlier pull
	d.set(func() { d.ready = left })
	err = retry(ctx, func() (bool, error) { return d.more(ctx, from) })
	if errors.Is(err, ErrSize) {
		os.Remove(d.file.Name())
	}
	if err != nil {
		return explain(err, from.ref)
	}
	d.tell(StatusVerifying, 0)
	if err := checkDigest(d.layer.Digest, "sha256:"+hex.EncodeToString(d.sum.Sum(nil))); err != nil {
		os.Remove(d.file.Name()) // there is no use in continuing this
		if left > 0 {
			err = fmt.Errorf("%w (what an earlier pull had left may be damaged; it is removed, pull again)", err)
		}
		return err
	}
	if err := d.file.Sync(); err != nil {
		return err
	}
	return rename(d.file.Name(), d.store.blobPath(d.layer.Digest))
}

// open opens the arriving file and waits until no other pull writes to it.
func (d *download) open(ctx context.Context) (*os.File, error) {
	name := d.store.path(ingestDir + "/" + strings.TrimPrefix(d.layer.Digest, "sha256:"))
	for {
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
			d.tell(StatusWaiting, 0)
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

// more makes one request for the rest of the blob, and appends what comes.
func (d *download) more(ctx context.Context, from *session) (progress bool, err error) {
	start, size := d.length, d.layer.Size
	if start >= size { // longer: its digest will be wrong
		return false, nil
	}
	header := http.Header{}
	if start > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", start, size-1))
	}
	watched, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d.watch = time.AfterFunc(stallTimeout, func() { cancel(errStalled) })
	defer d.watch.Stop()
	resp, err := from.send(watched, request{path: "blobs/" + d.layer.Digest, header: header})
	if err != nil {
		return false, stalled(watched, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK { // a registry need not know ranges: RFC 9110, 14.2
		if _, err := io.CopyN(io.Discard, resp.Body, start); err != nil {
			return false, err
		}
	}
	_, err = io.CopyBuffer(writerFunc(d.append), io.LimitReader(resp.Body, size-start+1), make([]byte, pipeSize))
	switch {
	case err != nil:
		err = stalled(watched, err)
	case d.length > size:
		err = fmt.Errorf("%w: more than %d bytes", ErrSize, size)
	case d.length < size:
		err = io.ErrUnexpectedEOF
	}
	return d.length > start, err
}

// stallTimeout is how long a registry may be silent in the middle of a blob.
// What if the connection just died, with no one left to say so? Without this,
// the download would wait for ever; so, it is continued over a new connection.
var stallTimeout = 30 * time.Second

var errStalled = errors.New("the registry has fallen silent")

func stalled(watched context.Context, err error) error {
	if cause := context.Cause(watched); errors.Is(cause, errStalled) {
		return cause
	}
	return err
}

func (d *download) append(p []byte) (int, error) {
	d.watch.Reset(stallTimeout)
	n, err := d.file.Write(p)
	d.sum.Write(p[:n])
	d.length += int64(n)
	d.set(func() { d.ready = d.length })
	d.tell(StatusDownloading, d.length)
	return n, err
}

// follower reads the file as it grows. It ends with io.EOF only when the whole
// blob was there and had the right digest: what was read before, nobody may keep.
type follower struct {
	*download
	at int64
}

// Read waits for the next bytes.
func (f *follower) Read(p []byte) (int, error) {
	f.mu.Lock()
	for f.at >= f.ready && !f.done {
		f.changed.Wait()
	}
	file, ready, done, err := f.file, f.ready, f.done, f.err
	f.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if f.at >= ready {
		return 0, io.EOF
	}
	n, err := file.ReadAt(p[:min(int64(len(p)), ready-f.at)], f.at)
	f.at += int64(n)
	if done {
		f.tell(StatusExtracting, f.at)
	}
	return n, err
}

// close must wait until nobody reads.
func (d *download) close() {
	if d.file != nil {
		d.file.Close()
	}
}
