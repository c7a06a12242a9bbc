package exercises

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	images "cutaway/05-images"
	"cutaway/chapters/exercise"
)

func gradePlain(g *exercise.G) {
	p := newPlace(g)
	img := image(g, archive(g, exercise.Word("file"), nil))
	ref := p.push("app", img)
	var seen atomic.Int32
	trace := images.Registry{Trace: func(*http.Response) { seen.Add(1) }}
	for _, host := range []string{p.host, strings.Replace(p.host, "127.0.0.1", "localhost", 1)} {
		ref.Domain = host
		_, err := pull(g, ref, images.PullOptions{Registry: trace})
		g.NoError(err, host+" is this machine: whoever could listen there could as well read our memory.")
	}
	g.Check(exercise.Check{Name: "traced", Want: true, Got: seen.Load() >= 8, Hint: "h.Trace is there for whoever wants to see each answer; mostly it is nil."})

	away := fmt.Sprintf("10.%d.%d.7:5000", exercise.Number(1, 250), exercise.Number(1, 250))
	far := images.Reference{Domain: away, Path: "app", Tag: "1"}
	_, err := pull(g, far, images.PullOptions{})
	g.Fails(err, images.ErrPlainHTTP, away+" is another machine, be its address as private as it may")
	_, err = pull(g, far, images.PullOptions{Registry: images.Registry{Insecure: []string{away}}})
	g.Check(exercise.Check{
		Name: "allowed", Want: false, Got: err == nil || errors.Is(err, images.ErrPlainHTTP),
		Hint: "The user has named this host himself. (It does not answer, which is another error.)",
	})

	storage := exercise.Word("storage") + ".example"
	p.set(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, "http://"+storage+"/x", http.StatusTemporaryRedirect)
			return true
		}
		return false
	})
	_, err = pull(g, ref, images.PullOptions{})
	g.Fails(err, images.ErrPlainHTTP, "our own registry sent us to http://"+storage)
}
