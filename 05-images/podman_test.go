package images_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cutaway/chapters/lab"

	images "cutaway/05-images"

	"github.com/google/go-containerregistry/pkg/compression"
	"github.com/stretchr/testify/require"
)

// podman is one whose images are in a directory of the test. All else that it keeps is below /var/lib in a
// mount namespace that ends with each of its commands.
type podman struct{ dir string }

func newPodman(t *testing.T) podman {
	t.Helper()
	lab.NeedRoot(t)
	lab.NeedProgram(t, "podman")
	lab.NeedProgram(t, "unshare")
	p := podman{t.TempDir()}
	config := filepath.Join(p.dir, "containers.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, "[engine]\nlock_type = \"file\"\nimage_copy_tmp_dir = %q\n", p.dir), 0o644))
	t.Setenv("CONTAINERS_CONF", config)
	return p
}

func (p podman) run(t *testing.T, args ...string) string {
	t.Helper()
	podman := []string{
		"podman", "--root", p.dir + "/root", "--runroot", "/var/lib/run", "--tmpdir", "/var/lib/tmp", "--network-config-dir", "/var/lib/net",
		"--cgroup-manager", "cgroupfs", "--storage-driver", "vfs", "--events-backend", "none",
	}
	inside := []string{"unshare", "--mount", "sh", "-c", `mount -t tmpfs none /var/lib && exec "$@"`, "sh"}
	return strings.TrimSpace(tool(t, slices.Concat(inside, podman, args)...))
}

// same checks that podman has the image under a name: the same config, and the same tars.
func (p podman) same(t *testing.T, want images.Image, name string) {
	t.Helper()
	var got []struct {
		ID     string
		RootFS struct{ Layers []string }
	}
	require.NoError(t, json.Unmarshal([]byte(p.run(t, "image", "inspect", name)), &got))
	require.Equal(t, want.ID, "sha256:"+got[0].ID)
	require.Equal(t, diffIDs(want), got[0].RootFS.Layers)
}

func diffIDs(img images.Image) (ids []string) {
	for _, l := range img.Layers {
		ids = append(ids, l.DiffID)
	}
	return ids
}

// loadFile loads an archive into a new store, and unpacks it.
func loadFile(t *testing.T, file string) (*images.Store, images.Image, string) {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	s, u := newStore(t), newTrees()
	loaded, err := s.Load(f, images.LoadOptions{Unpack: u})
	require.NoError(t, err)
	require.Len(t, loaded, 1)
	return s, loaded[0], u.tree(loaded[0].Top())
}

func saveFile(t *testing.T, s *images.Store, name string) (file string) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "saved.tar"))
	require.NoError(t, err)
	require.NoError(t, s.Save(f, name))
	require.NoError(t, f.Close())
	return f.Name()
}

// formats are those that podman saves in and pushes in.
var formats = map[string]string{"docker-archive": "v2s2", "oci-archive": "oci"}

func TestAnImageOfOursGoesThroughPodmanAndBack(t *testing.T) {
	p, srv, s := newPodman(t), newServer(t), newStore(t)
	name := srv.host + "/team/web:1"
	// None with zstd: podman 4.3 has no docker-archive for that.
	img, err := s.Add(imageOf(t, layerOf(t, compression.GZip, tarOf("a=1")), plainLayer(tarOf("b=2"))), name, nil)
	require.NoError(t, err)

	p.run(t, "load", "-i", saveFile(t, s, name))
	p.same(t, img, name)
	for archive, kind := range formats {
		file := filepath.Join(t.TempDir(), "podman.tar")
		p.run(t, "save", "--format", archive, "-o", file, name)
		_, got, tree := loadFile(t, file)
		require.Equal(t, img.ID, got.ID, archive)
		require.Equal(t, diffIDs(img), diffIDs(got), archive)
		require.Equal(t, []string{name}, got.Names, archive)
		require.Equal(t, "a=1\nb=2\n", tree, archive)

		p.run(t, "push", "--tls-verify=false", "--format", kind, name, srv.host+"/podman/web:"+kind)
		u := newTrees()
		got, err = pull(t, newStore(t), parse(t, srv.host+"/podman/web:"+kind), images.PullOptions{Unpack: u})
		require.NoError(t, err)
		require.Equal(t, img.ID, got.ID, kind)
		require.Equal(t, "a=1\nb=2\n", u.tree(got.Top()), kind)
	}

	p.run(t, "rmi", "--all", "--force")
	require.NoError(t, s.Push(t.Context(), parse(t, name), images.PushOptions{}))
	p.run(t, "pull", "--tls-verify=false", name)
	p.same(t, img, name)
}

func TestAnImageOfPodmansGoesThroughTheStoreAndBack(t *testing.T) {
	p, srv := newPodman(t), newServer(t)
	name := srv.host + "/team/made:1"
	files := filepath.Join(t.TempDir(), "files.tar")
	require.NoError(t, os.WriteFile(files, tarOf("a=1", "dir/b=2"), 0o644))
	id := "sha256:" + p.run(t, "image", "inspect", "--format", "{{.Id}}", p.run(t, "import", "-c", "CMD [\"b\"]", files, name))
	for archive, kind := range formats {
		file := filepath.Join(t.TempDir(), "podman.tar")
		p.run(t, "save", "--format", archive, "-o", file, name)
		s, img, tree := loadFile(t, file)
		require.Equal(t, id, img.ID, archive)
		require.Equal(t, []string{"b"}, img.Config.Config.Cmd)
		require.Equal(t, "a=1\ndir/b=2\n", tree)
		other := newPodman(t)
		other.run(t, "load", "-i", saveFile(t, s, name))
		other.same(t, img, name)

		p.run(t, "push", "--tls-verify=false", "--format", kind, name)
		s = newStore(t)
		img, err := pull(t, s, parse(t, name), images.PullOptions{Unpack: newTrees()})
		require.NoError(t, err)
		require.Equal(t, id, img.ID, kind)
		back := srv.host + "/back/" + kind + ":1"
		require.NoError(t, s.Tag(name, back))
		require.NoError(t, s.Push(t.Context(), parse(t, back), images.PushOptions{}))
		other.run(t, "pull", "--tls-verify=false", back)
		other.same(t, img, back)
	}
}
