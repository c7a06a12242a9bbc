package exercises

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	images "cutaway/05-images"
	"cutaway/chapters/exercise"
)

// line is a registry at the end of a bad line: it breaks off in the middle of a blob.
type line struct {
	path   string // of the blob
	blob   []byte
	left   int  // how often it will break, each time after a third
	ranges bool // it knows them
	short  bool // it has less than the manifest says
	sent   int  // bytes
}

func (l *line) serve(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, l.path) {
		return false
	}
	start, status, blob := 0, http.StatusOK, l.blob
	if l.short {
		blob = blob[:len(blob)/2]
	}
	if asked := r.Header.Get("Range"); asked != "" && l.ranges {
		if _, err := fmt.Sscanf(asked, "bytes=%d-", &start); err != nil || start >= len(blob) {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return true
		}
		status = http.StatusPartialContent
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(blob)-1, len(blob)))
	}
	rest := blob[start:]
	w.Header().Set("Content-Length", strconv.Itoa(len(rest)))
	w.WriteHeader(status)
	l.left--
	if l.left >= 0 {
		rest = rest[:len(blob)/3]
	}
	n, _ := w.Write(rest)
	_ = http.NewResponseController(w).Flush()
	if l.sent += n; n < len(blob)-start {
		panic(http.ErrAbortHandler)
	}
	return true
}

func gradeResume(g *exercise.G) {
	content := make([]byte, 3<<20)
	_, err := io.ReadFull(rand.Reader, content)
	g.Must(err)
	tar := archive(g, exercise.Word("file"), content)
	img := image(g, tar)
	for _, row := range []struct {
		check string
		line  *line
		hint  string
	}{
		{"a good line", &line{ranges: true}, "Nothing broke: from at, which is 0, to the end."},
		{"a bad line", &line{ranges: true, left: 2}, "It broke twice, and was opened again. Is what is read first the byte at?"},
		{"a registry without ranges", &line{left: 1}, "It answers 200 instead of 206, and with the whole blob: RFC 9110, 14.2."},
	} {
		u, err := row.line.pull(g, img)
		got := "nothing"
		for _, kept := range u.kept {
			got = digest(kept)
		}
		if err != nil {
			got = "an error: " + err.Error()
		}
		g.Check(exercise.Check{Name: row.check, Want: digest(tar), Got: got, Hint: row.hint})
		g.Check(exercise.Check{
			Name: "nothing twice", Want: true, Got: !row.line.ranges || row.line.sent < len(row.line.blob)*4/3,
			Hint: fmt.Sprintf("The blob has %d bytes, and the registry sent %d. A header of the request can say which are wanted: RFC 9110, 14.2.",
				len(row.line.blob), row.line.sent),
		})
	}
	_, err = (&line{ranges: true, short: true}).pull(g, img)
	g.Fails(err, images.ErrSize, "the answer's length is not that of the blob")
}

// pull puts the image at a registry, and pulls it over this line.
func (l *line) pull(g *exercise.G, img v1.Image) (*shelf, error) {
	layers, err := img.Layers()
	g.Must(err)
	hash, err := layers[0].Digest()
	g.Must(err)
	r, err := layers[0].Compressed()
	g.Must(err)
	defer r.Close()
	l.blob, err = io.ReadAll(r)
	g.Must(err)
	l.path = "/blobs/" + hash.String()
	p, u := newPlace(g), &shelf{kept: map[string][]byte{}}
	ref := p.push("app", img)
	p.set(l.serve)
	_, err = pull(g, ref, images.PullOptions{Unpack: u})
	return u, err
}
