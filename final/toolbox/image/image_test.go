package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"testing"

	"cutaway/final/toolbox"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/require"
)

func writeExe(t *testing.T) (path string, content []byte) {
	t.Helper()
	path, content = filepath.Join(t.TempDir(), "exe"), bytes.Repeat([]byte("binary"), 1000)
	require.NoError(t, os.WriteFile(path, content, 0o700))
	return path, content
}

func TestImageIsValidAndTheSameEveryTime(t *testing.T) {
	exe, _ := writeExe(t)
	img, err := Make(exe)
	require.NoError(t, err)
	require.NoError(t, validate.Image(img, validate.Fast)) // digests, sizes and media types agree; in full it wants gzip
	first, err := img.Digest()
	require.NoError(t, err)

	again, err := Make(exe)
	require.NoError(t, err)
	second, err := again.Digest()
	require.NoError(t, err)
	require.Equal(t, first, second)

	kind, err := img.MediaType()
	require.NoError(t, err)
	require.Equal(t, types.OCIManifestSchema1, kind)
	config, err := img.ConfigFile()
	require.NoError(t, err)
	require.Equal(t, []string{"sh"}, config.Config.Cmd)
	require.Equal(t, []string{"PATH=" + path}, config.Config.Env)
}

func TestImageHoldsTheBinaryAndALinkForEveryApplet(t *testing.T) {
	exe, content := writeExe(t)
	img, err := Make(exe)
	require.NoError(t, err)
	layers, err := img.Layers()
	require.NoError(t, err)
	require.Len(t, layers, 1)
	stream, err := layers[0].Uncompressed()
	require.NoError(t, err)
	defer stream.Close()

	hash := sha256.New()
	entries := map[string]*tar.Header{}
	for r := tar.NewReader(io.TeeReader(stream, hash)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		require.NotContains(t, entries, h.Name)
		entries[h.Name] = h
		if h.Name == "bin/toolbox" {
			got, err := io.ReadAll(r)
			require.NoError(t, err)
			require.Equal(t, content, got)
			require.EqualValues(t, 0o755, h.Mode)
		}
	}
	digest, err := layers[0].Digest()
	require.NoError(t, err)
	require.Equal(t, digest.Hex, hex.EncodeToString(hash.Sum(nil)))
	for _, name := range toolbox.Applets() {
		require.Equal(t, "toolbox", entries["bin/"+name].Linkname)
	}
	for _, dir := range []string{"proc/", "sys/", "dev/", "tmp/", "root/"} {
		require.Contains(t, entries, dir)
	}
	require.EqualValues(t, 0o1777, entries["tmp/"].Mode)
}

func TestImageSaysWhyThereIsNone(t *testing.T) {
	_, err := Make(filepath.Join(t.TempDir(), "nosuch"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestClosingALayerEarlyEndsItsWriter(t *testing.T) {
	exe, _ := writeExe(t)
	stream, err := newLayer(exe).Uncompressed()
	require.NoError(t, err)
	_, err = io.ReadFull(stream, make([]byte, 10))
	require.NoError(t, err)
	require.NoError(t, stream.Close())
}
