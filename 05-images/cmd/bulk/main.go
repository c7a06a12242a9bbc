// Bulk pushes a large image to a registry, for measuring: by default 500 MB in
// 8 layers with 40,000 files, the same ones each time. They are as large and as
// compressible as those of a usual image: many small, few large; half of the
// files text, four tenths machine code, the rest packed already.
//
//	bulk [-bytes N] [-files N] [-layers N] NAME
//
// With -decompress it measures the other side: it decompresses layers, one after
// the other, as pull does, on one processor.
//
//	bulk -decompress FILE > FILE
package main

import (
	"archive/tar"
	"bufio"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/stream"
	"github.com/klauspost/compress/gzip"
)

func main() {
	var b bulk
	flag.Int64Var(&b.bytes, "bytes", 500e6, "in the files")
	flag.IntVar(&b.files, "files", 40_000, "in all layers")
	flag.IntVar(&b.layers, "layers", 8, "each smaller than the one below")
	file := flag.String("decompress", "", "this `FILE` to standard output")
	flag.Parse()
	work := func() error { return b.push(flag.Arg(0)) }
	if *file != "" {
		work = func() error { return decompress(*file) }
	}
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, "bulk:", err)
		os.Exit(1)
	}
}

func decompress(file string) error {
	runtime.GOMAXPROCS(1)
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	const buffer = 256 << 10
	z, err := gzip.NewReader(bufio.NewReaderSize(f, buffer))
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{os.Stdout}, struct{ io.Reader }{z}, make([]byte, buffer))
	return err
}

type bulk struct {
	bytes         int64
	files, layers int
}

// push packs and sends at the same time: nothing is stored here.
func (b bulk) push(to string) error {
	tag, err := name.NewTag(to, name.StrictValidation)
	if err != nil {
		return err
	}
	var layers []v1.Layer
	share := 0.4 // of the files that are left
	left := b.files
	for i := range b.layers {
		files := int(float64(left) * share)
		if i == b.layers-1 {
			files = left
		}
		left -= files
		r, w := io.Pipe()
		go func() { w.CloseWithError(b.layer(w, i, files)) }()
		layers = append(layers, stream.NewLayer(r))
	}
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH,
		Config: v1.Config{Cmd: []string{"true"}}, RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		return err
	}
	if img, err = mutate.AppendLayers(img, layers...); err != nil {
		return err
	}
	return remote.Write(tag, img)
}

// layer writes the tar of one layer.
func (b bulk) layer(w io.Writer, number, files int) error {
	random := rand.New(rand.NewPCG(uint64(number), 5))
	sizes, sum := make([]float64, files), 0.0
	for i := range sizes {
		sizes[i] = math.Exp(1.8 * random.NormFloat64()) // log-normal, as file sizes are
		sum += sizes[i]
	}
	scale := float64(b.bytes) * float64(files) / float64(b.files) / sum
	words := vocabulary(random)
	tw := tar.NewWriter(w)
	for i, size := range sizes {
		dir := fmt.Sprintf("usr/lib/part%d/package%03d/", number, i/10)
		if i%10 == 0 {
			if err := tw.WriteHeader(&tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o755, ModTime: date}); err != nil {
				return err
			}
		}
		content := make([]byte, 0, int(size*scale))
		switch kind := i % 10; {
		case kind < 5:
			content = text(content, random, words)
		case kind < 9:
			content = code(content, random)
		default:
			content = packed(content, random)
		}
		h := &tar.Header{Name: fmt.Sprintf("%sfile%05d", dir, i), Mode: 0o644, Size: int64(len(content)), ModTime: date}
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		if _, err := tw.Write(content); err != nil {
			return err
		}
	}
	return tw.Close()
}

var date = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// vocabulary has the words that a text is made of.
func vocabulary(random *rand.Rand) []string {
	words := make([]string, 4096)
	for i := range words {
		word := make([]byte, 2+random.IntN(9))
		for j := range word {
			word[j] = 'a' + byte(random.IntN(26))
		}
		words[i] = string(word) + " "
	}
	return words
}

// text fills b up with words, of which some are much more frequent.
func text(b []byte, random *rand.Rand, words []string) []byte {
	for len(b) < cap(b) {
		word := words[int(float64(len(words))*math.Pow(random.Float64(), 6))]
		b = append(b, word[:min(len(word), cap(b)-len(b))]...)
	}
	return b
}

// code fills b up with functions: most of an instruction recurs, an operand does not.
func code(b []byte, random *rand.Rand) []byte {
	for len(b) < cap(b) {
		operation := byte(256 * math.Pow(random.Float64(), 6))
		b = append(b, []byte{0x48, operation, operation ^ 0x5a, byte(random.IntN(64)), 0x0f, operation >> 2, 0, 0}[:min(8, cap(b)-len(b))]...)
	}
	return b
}

// packed fills b up with what no compression makes smaller.
func packed(b []byte, random *rand.Rand) []byte {
	for len(b) < cap(b) {
		b = append(b, byte(random.Uint32()))
	}
	return b
}
