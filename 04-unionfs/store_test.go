package unionfs

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFirst(t *testing.T) {
	for _, drv := range []string{"overlay", "vfs"} {
		t.Run(drv, func(t *testing.T) {
			s, err := Open(t.TempDir(), Options{Driver: drv})
			require.NoError(t, err)
			t.Log(s.Reason())
			mk := func(hs ...tar.Header) *bytes.Buffer {
				var b bytes.Buffer
				w := tar.NewWriter(&b)
				for _, h := range hs {
					c := []byte{}
					if h.Typeflag == tar.TypeReg {
						c = []byte("hello")
						h.Size = 5
					}
					require.NoError(t, w.WriteHeader(&h))
					_, err := w.Write(c)
					require.NoError(t, err)
				}
				require.NoError(t, w.Close())
				return &b
			}
			f := func(n string) tar.Header { return tar.Header{Name: n, Typeflag: tar.TypeReg, Mode: 0o644} }
			_, err = s.Apply("sha256:aa", "", mk(tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o750}, f("a/b"), f("a/c"), f("d/e")))
			require.NoError(t, err)
			_, err = s.Apply("sha256:bb", "sha256:aa", mk(f("a/.wh.b"), f("d/.wh..wh..opq"), f("d/f")))
			require.NoError(t, err)
			require.NoError(t, s.Fork("c1", "sha256:bb"))
			target := filepath.Join(t.TempDir(), "m")
			require.NoError(t, os.Mkdir(target, 0o755))
			m, err := s.Mount("c1", target)
			require.NoError(t, err)
			t.Log(m)
			require.NoError(t, m.Do())
			t.Cleanup(func() { require.NoError(t, m.Undo()) })
			var got []string
			require.NoError(t, filepath.Walk(target, func(p string, i os.FileInfo, err error) error {
				got = append(got, p[len(target):]+" "+i.Mode().String())
				return err
			}))
			require.Equal(t, []string{" drwxr-x---", "/a drwxr-xr-x", "/a/c -rw-r--r--", "/d drwxr-xr-x", "/d/f -rw-r--r--"}, got)
		})
	}
}
