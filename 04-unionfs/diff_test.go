package unionfs

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"cutaway/chapters/lab"
)

// What was applied comes back to the last bit, if it has the form that Docker, containerd and this package give to archives: a
// DiffID does not change on the way through a store.
func TestDiffIsTheArchiveThatWasApplied(t *testing.T) {
	first := archive(t, `
		d etc 0755
		f etc/hosts 0644 localhost
		l etc/mtab ../proc/self/mounts 0777
		d etc/opt 0711 7:8
		d etc.d 0755
		d usr 0755
		d usr/bin 0755
		f usr/bin/ash 0755 sh
		h usr/bin/sh usr/bin/ash 0755
		f usr/bin/su 04755 su
		p usr/fifo 0600`)
	typed := archive(t, `
		d etc 040755
		f etc/hosts 0100644 localhost
		l etc/mtab ../proc/self/mounts 0120777
		d usr 041777
		f usr/ash 0104755 sh
		p usr/fifo 010600
		h usr/sh usr/ash 0104755`) // as Docker and podman write modes
	second := archive(t, `
		d . 0700
		d etc 0755
		w etc/hosts
		d etc/opt 0711 7:8
		o etc/opt 0711 7:8
		f etc/opt/new 0600 new
		d usr 0755
		w usr/bin`)
	for _, name := range []string{"overlay", "vfs"} {
		t.Run(name, func(t *testing.T) {
			s := open(t, name)
			for _, layer := range [][]byte{typed, first} {
				removeAllLayers(t, s)
				stack(t, s, layer)
				require.Equal(t, layer, diff(t, s, id(0)))
			}
			if name == "overlay" { // finished trees do not tell opaque from empty, nor a directory that is named from one that is not
				stack(t, s, first, second)
				require.Equal(t, second, diff(t, s, id(1)))
			}
		})
	}
}

// umoci makes the same trees of its layers as every driver. The first layer comes back to the last bit, but for its entry for the
// root, which Docker does not write; the second names no directories, and a diff does.
func TestUmociMakesTheSameTrees(t *testing.T) {
	lab.NeedRoot(t)
	lab.NeedProgram(t, "umoci")
	dir := t.TempDir()
	image, bundle := filepath.Join(dir, "image"), filepath.Join(dir, "bundle")
	run(t, "umoci", "init", "--layout", image)
	run(t, "umoci", "new", "--image", image+":x")
	for _, commands := range []string{
		"mkdir -p etc usr/bin tmp; chmod 1777 tmp; echo hosts > etc/hosts; echo sh > usr/bin/sh; ln usr/bin/sh usr/bin/ash; ln -s usr/bin bin; mkfifo p",
		"rm etc/hosts; rm -r usr/bin; mkdir usr/bin; echo new > usr/bin/new; chmod 700 tmp; mknod null c 1 3",
	} {
		run(t, "umoci", "unpack", "--image", image+":x", bundle)
		script(t, filepath.Join(bundle, "rootfs"), commands+"; find . -exec touch -h -d @1000000000 {} +")
		run(t, "umoci", "repack", "--image", image+":x", bundle)
		run(t, "rm", "-r", bundle)
	}
	run(t, "umoci", "unpack", "--image", image+":x", bundle)
	each(t, func(t *testing.T, s *Store) {
		layers := layersOf(t, image)
		require.Len(t, layers, 2)
		top := stack(t, s, layers...)
		require.Equal(t, tree(t, filepath.Join(bundle, "rootfs")), tree(t, mounted(t, s, top)))
		require.Equal(t, sha256.Sum256(layers[0][512:]), sha256.Sum256(diff(t, s, id(0))))
	})
}

// layersOf reads the layers of the one image in an OCI layout, uncompressed.
func layersOf(t testing.TB, layout string) (layers [][]byte) {
	t.Helper()
	type descriptor struct{ Digest string }
	var index struct{ Manifests []descriptor }
	var manifest struct{ Layers []descriptor }
	read := func(file string) []byte {
		b, err := os.ReadFile(filepath.Join(layout, file))
		require.NoError(t, err)
		return b
	}
	blob := func(d descriptor) []byte { return read(filepath.Join("blobs/sha256", d.Digest[len("sha256:"):])) }
	require.NoError(t, json.Unmarshal(read("index.json"), &index))
	require.NoError(t, json.Unmarshal(blob(index.Manifests[0]), &manifest))
	for _, l := range manifest.Layers {
		cmd := exec.Command("gzip", "-dc")
		cmd.Stdin = bytes.NewReader(blob(l))
		b, err := cmd.Output()
		require.NoError(t, err)
		layers = append(layers, b)
	}
	return layers
}

func TestGNUTarUnpacksADiff(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		layer := stack(t, s, archive(t, base+"\nf su 04755 x\np fifo 0600\nd .hidden 01777 5:6"))
		dir := t.TempDir()
		cmd := exec.Command("tar", "-C", dir, "--xattrs", "--xattrs-include=*", "-xp")
		r, err := s.Diff(layer)
		require.NoError(t, err)
		cmd.Stdin = r
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		_, err = io.Copy(io.Discard, r)
		require.NoError(t, err)
		require.Equal(t, tree(t, mounted(t, s, layer)), chmod755(t, dir))
	})
}

// chmod755 is the tree of a directory whose own mode was never in the archive.
func chmod755(t testing.TB, dir string) string {
	t.Helper()
	require.NoError(t, os.Chmod(dir, 0o755))
	return tree(t, dir)
}
