package images

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"
)

type fakeUnpacker map[string]int64

func (f fakeUnpacker) Has(c string) bool { _, ok := f[c]; return ok }
func (f fakeUnpacker) Apply(c, p string, r io.Reader) (int64, error) {
	n, err := io.Copy(io.Discard, r)
	if err == nil {
		f[c] = n
	}
	return n, err
}

func TestSmoke(t *testing.T) {
	srv := httptest.NewServer(registry.New())
	defer srv.Close()
	host := strings.TrimPrefix(srv.URL, "http://")
	img, _ := random.Image(3<<20, 4)
	ref, _ := name.ParseReference(host + "/a/b:c")
	require.NoError(t, remote.Write(ref, img))
	s, err := OpenStore(t.TempDir())
	require.NoError(t, err)
	r, err := ParseReference(host + "/a/b:c")
	require.NoError(t, err)
	for range 2 {
		got, err := s.Pull(context.Background(), r, PullOptions{Unpack: fakeUnpacker{}, Progress: func(p Progress) { fmt.Println(p) }})
		require.NoError(t, err)
		fmt.Printf("%+v\n", got)
	}
	l, _ := s.List()
	require.Len(t, l, 1)
	rm, err := s.Remove(l[0].ID[7:19], RemoveOptions{})
	fmt.Println(rm, err)
}
