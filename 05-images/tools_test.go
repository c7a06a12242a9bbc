package images_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cutaway/chapters/lab"

	images "cutaway/05-images"

	"github.com/google/go-containerregistry/pkg/compression"
	"github.com/stretchr/testify/require"
)

// tool runs a program of the host and returns what it prints.
func tool(t *testing.T, args ...string) string {
	t.Helper()
	lab.NeedProgram(t, args[0])
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoError(t, cmd.Run(), "%v\n%s", args, &errs)
	return out.String()
}

func TestDockerRegistryTakesAndGives(t *testing.T) {
	host, dir, u := dockerRegistry(t, "", ""), t.TempDir(), newTrees()
	s := openStore(t, dir)
	ref := parse(t, host+"/team/web:1")
	made := imageOf(t, layerOf(t, compression.GZip, tarOf("base="+noise(1, 1<<20))), layerOf(t, compression.ZStd, tarOf("b=2")))
	img, err := s.Add(made, ref.String(), nil)
	require.NoError(t, err)
	require.NoError(t, s.Push(t.Context(), ref, images.PushOptions{}))
	got, err := pull(t, newStore(t), ref, images.PullOptions{Unpack: u})
	require.NoError(t, err)
	require.Equal(t, img.Manifest, got.Manifest)

	// Pulled from, so known to be there: the layers are mounted, not sent.
	_, err = pull(t, s, ref, images.PullOptions{})
	require.NoError(t, err)
	require.NoError(t, s.Tag(ref.String(), host+"/other/web"))
	var told []string
	require.NoError(t, s.Push(t.Context(), parse(t, host+"/other/web"), images.PushOptions{Progress: func(p images.Progress) { told = append(told, p.Status) }}))
	require.Contains(t, told, "Mounted from team/web")
	require.NotContains(t, told, "Pushed")

	_, err = pull(t, s, parse(t, host+"/team/web:2"), images.PullOptions{})
	require.ErrorIs(t, err, images.ErrNotFound)
	_, err = pull(t, s, parse(t, host+"/absent"), images.PullOptions{})
	require.ErrorIs(t, err, images.ErrNotFound)
	valid(t, dir)
}

func TestSkopeoAndTheStoreReadEachOther(t *testing.T) {
	host, dir := dockerRegistry(t, "", ""), t.TempDir()
	s := openStore(t, dir)
	img, err := s.Add(simple(t, "a=1", "b=2"), "web:1", nil)
	require.NoError(t, err)
	_, err = s.Add(simple(t, "a=1", "c=3"), "127.0.0.1:5000/other", nil)
	require.NoError(t, err)
	seen := tool(t, "skopeo", "inspect", "oci:"+dir+":web:1")
	require.Contains(t, seen, img.Manifest)
	tool(t, "skopeo", "inspect", "oci:"+dir+":127.0.0.1:5000/other:latest")

	// To a registry in Docker's own format, back through Pull.
	tool(t, "skopeo", "copy", "--dest-tls-verify=false", "--format", "v2s2", "oci:"+dir+":web:1", "docker://"+host+"/web:1")
	u := newTrees()
	got, err := pull(t, newStore(t), parse(t, host+"/web:1"), images.PullOptions{Unpack: u})
	require.NoError(t, err)
	require.Equal(t, "a=1\nb=2\n", u.tree(got.Top()))
	// What is plain here is packed with zstd there.
	img, err = s.Add(imageOf(t, plainLayer(tarOf("plain=1"))), "plain", nil)
	require.NoError(t, err)
	tool(t, "skopeo", "copy", "--dest-tls-verify=false", "--dest-compress-format", "zstd", "oci:"+dir+":plain:latest", "docker://"+host+"/web:zstd")
	got, err = pull(t, s, parse(t, host+"/web:zstd"), images.PullOptions{Unpack: newTrees()})
	require.NoError(t, err)
	require.Equal(t, img.ID, got.ID, "the same config in another packing")
	require.NoError(t, s.Push(t.Context(), parse(t, host+"/web:zstd"), images.PushOptions{}))
	require.Contains(t, tool(t, "skopeo", "inspect", "--tls-verify=false", "docker://"+host+"/web:zstd"), "zstd")
}

func TestSkopeoReadsWhatIsSaved(t *testing.T) {
	s, dir := newStore(t), t.TempDir()
	img, err := s.Add(simple(t, "a=1", "b=2"), "web:1", nil)
	require.NoError(t, err)
	archive := filepath.Join(dir, "web.tar")
	f, err := os.Create(archive)
	require.NoError(t, err)
	require.NoError(t, s.Save(f, "web:1"))
	require.NoError(t, f.Close())
	require.Contains(t, tool(t, "skopeo", "inspect", "oci-archive:"+archive+":web:1"), img.Manifest)
	tool(t, "skopeo", "inspect", "docker-archive:"+archive+":web:1")

	for _, kind := range []string{"docker-archive", "oci-archive"} {
		again := filepath.Join(dir, kind+".tar")
		tool(t, "skopeo", "copy", "oci-archive:"+archive+":web:1", kind+":"+again+":web:"+kind)
		f, err := os.Open(again)
		require.NoError(t, err)
		u := newTrees()
		loaded, err := s.Load(f, images.LoadOptions{Unpack: u})
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.Contains(t, strings.Join(loaded[0].Names, " "), "web:"+kind)
		require.Equal(t, "a=1\nb=2\n", u.tree(loaded[0].Top()))
	}
}

func TestUmociUnpacksFromTheStore(t *testing.T) {
	lab.NeedRoot(t)
	dir, bundle := t.TempDir(), filepath.Join(t.TempDir(), "bundle")
	_, err := openStore(t, dir).Add(simple(t, "a=1", "b=2"), "web:1", nil)
	require.NoError(t, err)
	tool(t, "skopeo", "copy", "oci:"+dir+":web:1", "oci:"+bundle+"-image:one") // umoci takes no colon in a tag
	tool(t, "umoci", "unpack", "--image", bundle+"-image:one", bundle)
	content, err := os.ReadFile(filepath.Join(bundle, "rootfs/b"))
	require.NoError(t, err)
	require.Equal(t, "2", string(content))
}
