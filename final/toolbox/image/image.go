// Package image makes the image cutaway/toolbox, which needs no registry and no download: of a binary that holds
// the toolbox, and of what it knows of it.
package image

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"cutaway/final/toolbox"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// path is the default PATH of the image: Docker's own default.
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Make makes the image of one uncompressed layer: the binary exe as /bin/toolbox, a link for every applet, and
// the few files that a root file system needs. The same binary gives the same digests, for no time of the clock
// is in it. Nothing is read before the image is; exe must stay as it is until then.
func Make(exe string) (v1.Image, error) {
	if _, err := os.Stat(exe); err != nil {
		return nil, err
	}
	created := v1.Time{Time: epoch()}
	base := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	img, err := mutate.Append(base, mutate.Addendum{
		Layer:   newLayer(exe),
		History: v1.History{Created: created, CreatedBy: "cutaway daemon", Comment: "made of a binary of the engine's own"},
	})
	if err != nil {
		return nil, fmt.Errorf("append the layer of %q: %w", exe, err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.Created, config.OS, config.Architecture = created, "linux", runtime.GOARCH
	config.Config = v1.Config{Cmd: []string{"sh"}, Env: []string{"PATH=" + path}}
	return mutate.ConfigFile(img, config)
}

// epoch is the time of every file of the image: a fixed one, for the digests' sake.
func epoch() time.Time { return time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC) }

// layer is an uncompressed tar stream that is written anew each time it is read: 30 MB need neither be held
// in memory nor be compressed for a journey that they never make.
type layer struct {
	exe     string
	measure func() (measure, error) // once
}

// measure is what has to be known of a layer before it is read.
type measure struct {
	digest v1.Hash
	size   int64 // bytes
}

func newLayer(exe string) *layer {
	l := &layer{exe: exe}
	l.measure = sync.OnceValues(func() (measure, error) {
		hash, count := sha256.New(), counter(0)
		if err := writeTree(tar.NewWriter(io.MultiWriter(hash, &count)), exe); err != nil {
			return measure{}, err
		}
		digest := v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(hash.Sum(nil))}
		return measure{digest, int64(count)}, nil
	})
	return l
}

// counter counts the bytes that are written to it.
type counter int64

// Write counts.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// Digest is the hash of the stream, which is the DiffID too, since nothing is compressed.
func (l *layer) Digest() (v1.Hash, error) {
	m, err := l.measure()
	return m.digest, err
}

// DiffID is the hash of the stream.
func (l *layer) DiffID() (v1.Hash, error) { return l.Digest() }

// Size is the length of the stream in bytes.
func (l *layer) Size() (int64, error) {
	m, err := l.measure()
	return m.size, err
}

// MediaType says that the layer is a plain tar file.
func (l *layer) MediaType() (types.MediaType, error) { return types.OCIUncompressedLayer, nil }

// Compressed is the stream as it is stored: uncompressed.
func (l *layer) Compressed() (io.ReadCloser, error) { return l.Uncompressed() }

// Uncompressed writes the stream while it is read; closing it early ends the writer.
func (l *layer) Uncompressed() (io.ReadCloser, error) {
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeTree(tar.NewWriter(w), l.exe)) }()
	return r, nil
}

// writeTree writes the root file system.
func writeTree(w *tar.Writer, exe string) error {
	binary, err := os.Open(exe)
	if err != nil {
		return err
	}
	defer binary.Close()
	info, err := binary.Stat()
	if err != nil {
		return err
	}
	add := func(h tar.Header, content io.Reader) { // until the first error
		if err != nil {
			return
		}
		h.ModTime, h.Format = epoch(), tar.FormatPAX
		if err = w.WriteHeader(&h); err == nil && content != nil {
			_, err = io.Copy(w, content)
		}
	}
	for dir := range strings.FieldsSeq("bin dev etc home proc root run sys usr usr/bin var var/lib var/log") {
		add(tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}, nil)
	}
	add(tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}, nil)
	add(tar.Header{Typeflag: tar.TypeDir, Name: "home/guest/", Mode: 0o755, Uid: 1000, Gid: 1000}, nil)
	for _, etc := range [...]struct{ name, content string }{
		{"group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\nguest:x:1000:\n"},
		{"hostname", "toolbox\n"}, // the engine mounts its own over this, hosts and resolv.conf
		{"hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n"},
		{"nsswitch.conf", "hosts: files dns\n"},
		{"os-release", "NAME=toolbox\nID=toolbox\nPRETTY_NAME=\"cutaway toolbox\"\n"},
		{"passwd", "root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000:guest:/home/guest:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"},
		{"resolv.conf", ""},
	} {
		add(tar.Header{Typeflag: tar.TypeReg, Name: "etc/" + etc.name, Mode: 0o644, Size: int64(len(etc.content))}, strings.NewReader(etc.content))
	}
	add(tar.Header{Typeflag: tar.TypeReg, Name: "bin/toolbox", Mode: 0o755, Size: info.Size()}, binary)
	for _, name := range toolbox.Applets() {
		add(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "toolbox", Mode: 0o777}, nil)
	}
	add(tar.Header{Typeflag: tar.TypeSymlink, Name: "usr/bin/env", Linkname: "../../bin/toolbox", Mode: 0o777}, nil)
	if err != nil {
		return err
	}
	return w.Close()
}
