package images_test

import (
	"strings"
	"testing"

	images "cutaway/05-images"

	"github.com/stretchr/testify/require"
)

const someDigest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

func TestNamesAreReadAsDockerDoes(t *testing.T) {
	for _, row := range []struct{ in, canonical, familiar string }{
		{"alpine", "docker.io/library/alpine:latest", "alpine:latest"},
		{"alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20"},
		{"library/alpine", "docker.io/library/alpine:latest", "alpine:latest"},
		{"docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest"},
		{"index.docker.io/library/alpine", "docker.io/library/alpine:latest", "alpine:latest"},
		{"user/web:1", "docker.io/user/web:1", "user/web:1"},
		{"docker.io/user/web", "docker.io/user/web:latest", "user/web:latest"},
		{"localhost/web", "localhost/web:latest", "localhost/web:latest"},
		{"localhost:5000/web", "localhost:5000/web:latest", "localhost:5000/web:latest"},
		{"127.0.0.1:5000/a/b/c:v1", "127.0.0.1:5000/a/b/c:v1", "127.0.0.1:5000/a/b/c:v1"},
		{"[::1]:5000/web", "[::1]:5000/web:latest", "[::1]:5000/web:latest"},
		{"example.com/web", "example.com/web:latest", "example.com/web:latest"},
		{"LOCALHOST/web", "LOCALHOST/web:latest", "LOCALHOST/web:latest"},
		{"web.example", "docker.io/library/web.example:latest", "web.example:latest"},
		{"a__b/c-d/e--f", "docker.io/a__b/c-d/e--f:latest", "a__b/c-d/e--f:latest"},
		{"alpine@" + someDigest, "docker.io/library/alpine@" + someDigest, "alpine@" + someDigest},
		{"alpine:3@" + someDigest, "docker.io/library/alpine:3@" + someDigest, "alpine:3@" + someDigest},
		{"cafe", "docker.io/library/cafe:latest", "cafe:latest"},
	} {
		ref, err := images.ParseReference(row.in)
		require.NoError(t, err, row.in)
		require.Equal(t, row.canonical, ref.String(), row.in)
		require.Equal(t, row.familiar, ref.Familiar(), row.in)
	}
}

func TestBadNamesAreRefused(t *testing.T) {
	for _, in := range []string{
		"", ":", "@", "/", "a//b", "/a", "a/", "-a", "a-", "a___b", "a..b", "Alpine", "user/Web", "alpine:", "alpine:-x", "alpine:a b",
		"alpine:" + strings.Repeat("x", 129), "alpine@sha256:12", "alpine@" + someDigest[:70], "alpine@md5:" + strings.Repeat("0", 32),
		"http://example.com/web", "../etc/passwd", "example.com:port/web", "a\nb", "alpine latest", "ex ample.com/web",
		someDigest[7:], "example.com/" + strings.Repeat("a/", 127) + "aaa",
	} {
		_, err := images.ParseReference(in)
		require.ErrorIs(t, err, images.ErrReference, "%q", in)
	}
}

func FuzzReferencesSurviveBeingPrinted(f *testing.F) {
	for _, seed := range []string{"alpine", "a/b:c", "localhost:5000/x@" + someDigest, "[::1]/x", "A.b/c", "docker.io/docker.io/a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		ref, err := images.ParseReference(in)
		if err != nil {
			return
		}
		for _, printed := range []string{ref.String(), ref.Familiar()} {
			again, err := images.ParseReference(printed)
			require.NoError(t, err, "%q, printed as %q", in, printed)
			require.Equal(t, ref, again, "%q, printed as %q", in, printed)
		}
	})
}
