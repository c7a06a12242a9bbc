package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/sys/unix"
)

// ErrSize is wrapped by the error about a blob that is longer than its manifest says.
var ErrSize = errors.New("size mismatch")

// download is one blob on its way into the store. It goes to ingest/HEX, which
// is never truncated while it arrives: what a broken connection or a killed
// process leaves is continued. Readers follow the file as it grows, so a layer
// is unpacked while it arrives, and a slow reader does not slow the connection.
type download struct {
	store  *Store
	blob   v1.Descriptor
	notify func(status string, current int64)
	slots  chan struct{} // room for as many downloads as may run at once

	mu      sync.Mutex
	changed sync.Cond // what follows has changed
	size    int64     // bytes in the file
	done    bool      // the whole blob is there and verified, or err is set
	err     error
	file    *os.File // stays readable when renamed
}

func (d *download) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
	d.changed.Broadcast()
}

// run fetches what is missing of the blob, and verifies all of it.
func (d *download) run(ctx context.Context, from *session) error {
	var err error
	select {
	case <-ctx.Done():
		err = ctx.Err()
	case d.slots <- struct{}{}:
		err = d.fetch(ctx, from)
		<-d.slots
	}
	d.set(func() { d.done, d.err = true, err })
	return err
}

func (d *download) fetch(ctx context.Context, from *session) error {
	digest := d.blob.Digest.String()
	file, err := d.open(ctx)
	if err != nil {
		return err
	}
	d.set(func() { d.file = file })
	if d.store.hasBlob(digest, d.blob.Size) { // now or since we wait for the file
		os.Remove(file.Name())
		return d.useStored(digest)
	}
	sum := sha256.New()
	left, err := io.Copy(sum, file) // from an earlier pull
	if err != nil {
		return err
	}
	d.set(func() { d.size = left })
	if err := retry(ctx, func() (bool, error) { return d.more(ctx, from, sum) }); err != nil {
		return fmt.Errorf("download %s: %w", digest, err)
	}
	d.notify(StatusVerifying, 0)
	if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); got != digest {
		os.Remove(file.Name()) // what is wrong cannot be continued
		return fmt.Errorf("download: %w: expected %s, got %s", ErrDigest, digest, got)
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := rename(file.Name(), d.store.blobPath(digest)); err != nil {
		return err
	}
	d.notify(StatusDownloaded, 0)
	return nil
}

// open opens the arriving file and waits until no other pull writes to it.
func (d *download) open(ctx context.Context) (*os.File, error) {
	name := d.store.path(ingestDir + "/" + d.blob.Digest.Hex)
	for {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && isNamed(f) {
			return f, nil
		}
		f.Close()
		if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &fs.PathError{Op: "flock", Path: name, Err: err}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
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

func (d *download) useStored(digest string) error {
	file, err := os.Open(d.store.blobPath(digest))
	if err != nil {
		return err
	}
	d.set(func() {
		d.file.Close()
		d.file, d.size = file, d.blob.Size
	})
	d.notify(StatusDownloaded, 0)
	return nil
}

// more makes one request for the rest of the blob, and appends what comes.
func (d *download) more(ctx context.Context, from *session, sum hash.Hash) (progress bool, err error) {
	start := d.size
	if start == d.blob.Size {
		return false, nil
	}
	resp, err := from.do(ctx, http.MethodGet, from.url("blobs/"+d.blob.Digest.String()), rangeHeader(start)...)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if err := transport.CheckError(resp, http.StatusOK, http.StatusPartialContent); err != nil {
		return false, explain(err, from.ref)
	}
	if resp.StatusCode == http.StatusOK { // a registry need not know ranges
		if _, err := io.CopyN(io.Discard, resp.Body, start); err != nil {
			return false, err
		}
	}
	n, err := io.Copy(io.MultiWriter(d.file, sum, d), io.LimitReader(resp.Body, d.blob.Size-start+1))
	switch {
	case err == nil && start+n > d.blob.Size:
		return false, fmt.Errorf("%w: more than %d bytes", ErrSize, d.blob.Size)
	case err == nil && start+n < d.blob.Size:
		err = io.ErrUnexpectedEOF
	}
	return n > 0, err
}

func rangeHeader(start int64) []string {
	if start == 0 {
		return nil
	}
	return []string{"Range", "bytes=" + strconv.FormatInt(start, 10) + "-"}
}

// Write counts what was written to the file.
func (d *download) Write(p []byte) (int, error) {
	d.set(func() { d.size += int64(len(p)) })
	d.notify(StatusDownloading, d.size)
	return len(p), nil
}

// reader follows the file. It ends with io.EOF only when the whole blob was
// there and had the right digest: what it has not vouched for, nobody keeps.
func (d *download) reader(report func(read int64)) io.Reader {
	return &follower{download: d, report: report}
}

type follower struct {
	*download
	at     int64
	report func(read int64)
}

func (f *follower) Read(p []byte) (int, error) {
	f.mu.Lock()
	for f.at >= f.size && !f.done || f.file == nil && !f.done {
		f.changed.Wait()
	}
	file, size, err := f.file, f.size, f.err
	f.mu.Unlock()
	if f.at >= size || file == nil || err != nil {
		if err == nil {
			err = io.EOF
		}
		return 0, err
	}
	n, err := file.ReadAt(p[:min(int64(len(p)), size-f.at)], f.at)
	f.at += int64(n)
	f.report(f.at)
	return n, err
}

func (d *download) close() {
	if d.file != nil {
		d.file.Close()
	}
}

func short(digest string) string { return strings.TrimPrefix(digest, "sha256:")[:12] }

func (d *download) complete() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.done
}
