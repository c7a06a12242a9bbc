package unionfs

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A tree that is read layer by layer is the one that the kernel shows.
func TestTreeIsWhatAMountShows(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		top := stack(t, s,
			archive(t, `
				d etc 0755
				f etc/hosts 0644 below
				f etc/gone 0644 below
				d opt 0755
				d opt/a 0755
				f opt/a/b 0644 below
				d usr 0755
				f usr/one 0644 same
				h usr/two usr/one 0644
				f file 0644 below`),
			archive(t, `
				d etc 0711 7:8
				w etc/gone
				f etc/new 0600 new
				d opt 0755
				o opt 0755
				f opt/c 0644 new
				w usr
				d file 0755
				f file/inside 0644 new`))
		require.NoError(t, s.Fork("box", top))
		dir := mounted(t, s, "box")
		require.NoError(t, os.WriteFile(filepath.Join(dir, "etc/hosts"), []byte("own"), 0o600))
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "opt")))
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "opt/a"), 0o700))

		again := open(t, s.Driver())
		r, err := s.Tree("box")
		require.NoError(t, err)
		archive, err := io.ReadAll(r)
		require.NoError(t, err)
		_, err = again.Apply(id(0), "", bytes.NewReader(archive))
		require.NoError(t, err)
		require.Equal(t, tree(t, dir), tree(t, mounted(t, again, id(0))))
	})
	_, err := open(t, "vfs").Tree("nosuch")
	require.ErrorIs(t, err, ErrNotFound)
}
