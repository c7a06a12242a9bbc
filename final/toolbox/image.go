package toolbox

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

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Path is the default PATH of the image: Docker's own default.
const Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Image makes the image cutaway/toolbox of one uncompressed layer: the binary exe as /bin/toolbox, a link for
// every applet, and the few files that a root file system needs. The same binary gives the same digests, for
// no time of the clock is in it. Nothing is read before the image is; exe must stay as it is until then.
func Image(exe string) (v1.Image, error) {
	if _, err := os.Stat(exe); err != nil {
		return nil, err
	}
	created := v1.Time{Time: epoch()}
	base := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	img, err := mutate.Append(base, mutate.Addendum{
		Layer:   newLayer(exe),
		History: v1.History{Created: created, CreatedBy: "cutaway daemon", Comment: "made of the engine's own binary"},
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
	config.Config = v1.Config{Cmd: []string{"sh"}, Env: []string{"PATH=" + Path}}
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
	t := tree{w: w}
	for dir := range strings.FieldsSeq("bin dev etc proc root run sys usr usr/bin var var/lib var/log") {
		t.add(tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}, "")
	}
	t.add(tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}, "")
	t.add(tar.Header{Typeflag: tar.TypeDir, Name: "home/", Mode: 0o755}, "")
	t.add(tar.Header{Typeflag: tar.TypeDir, Name: "home/guest/", Mode: 0o755, Uid: 1000, Gid: 1000}, "")
	for name, content := range etcFiles() {
		t.add(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, content)
	}
	t.copy("bin/toolbox", exe)
	for _, name := range Applets() {
		t.add(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "toolbox", Mode: 0o777}, "")
	}
	t.add(tar.Header{Typeflag: tar.TypeSymlink, Name: "usr/bin/env", Linkname: "../../bin/toolbox", Mode: 0o777}, "")
	if t.err != nil {
		return t.err
	}
	return w.Close()
}

// etcFiles yields the files of /etc in a fixed order. The engine mounts its own over hostname, hosts and
// resolv.conf; here they are mount points.
func etcFiles() func(yield func(name, content string) bool) {
	return func(yield func(name, content string) bool) {
		_ = yield("etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\nguest:x:1000:\n") &&
			yield("etc/hostname", "toolbox\n") &&
			yield("etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n") &&
			yield("etc/nsswitch.conf", "hosts: files dns\n") &&
			yield("etc/os-release", "NAME=toolbox\nID=toolbox\nPRETTY_NAME=\"cutaway toolbox\"\n") &&
			yield("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000:guest:/home/guest:/bin/sh\n"+
				"nobody:x:65534:65534:nobody:/:/bin/false\n") &&
			yield("etc/resolv.conf", "")
	}
}

// tree writes tar entries until the first error, which it keeps.
type tree struct {
	w   *tar.Writer
	err error
}

func (t *tree) add(h tar.Header, content string) {
	h.Size = int64(len(content))
	t.header(h)
	if t.err == nil {
		_, t.err = io.WriteString(t.w, content)
	}
}

func (t *tree) header(h tar.Header) {
	if t.err != nil {
		return
	}
	h.ModTime, h.Format = epoch(), tar.FormatPAX
	t.err = t.w.WriteHeader(&h)
}

// copy adds an executable file of the host.
func (t *tree) copy(name, source string) {
	f, err := os.Open(source)
	if err != nil {
		t.err = err
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.err = err
		return
	}
	t.header(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: info.Size()})
	if t.err == nil {
		_, t.err = io.Copy(t.w, f)
	}
}
