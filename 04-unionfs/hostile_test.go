package unionfs

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// hostile archives reach for OUT, a directory beside the layer, in every way that the author knows. UP is a way up
// from anywhere.
var hostile = []struct{ name, layer string }{
	{"dots in a name", "f UP/OUT/new 0644 evil"},
	{"dots inside a name", "d a 0755\nf a/../UP/OUT/new 0644 evil"},
	{"a whiteout with dots", "w UP/OUT/secret"},
	{"an absolute symbolic link as a directory", "l a /OUT\nf a/new 0644 evil"},
	{"a relative symbolic link as a directory", "l a UP/OUT\nf a/new 0644 evil"},
	{"a symbolic link to a symbolic link", "l a b\nl b /OUT\nf a/new 0644 evil"},
	{"a symbolic link to the root", "l a /\nf a/OUT/new 0644 evil"},
	{"a symbolic link in the middle", "d a 0755\nl a/b UP/\nf a/b/OUT/new 0644 evil"},
	{"a symbolic link out of proc", "l a /proc/self/root\nf a/OUT/new 0644 evil"},
	{"a symbolic link in the last place", "l a /OUT/secret\nf a 0644 evil"},
	{"a new directory through a symbolic link", "l a /OUT\nd a/new 0777"},
	{"a directory in place of a symbolic link", "l a /OUT\nd a 0777"},
	{"a device through a symbolic link", "l a /OUT\np a/new 0666"},
	{"a symbolic link through a symbolic link", "l a /OUT\nl a/new x"},
	{"a hard link to a file outside", "h a UP/OUT/secret\nf a 0644 evil"},
	{"a hard link through a symbolic link", "l a /OUT\nh b a/secret\nf b 0644 evil"},
	{"a hard link into a symbolic link", "l a /OUT\nf b 0644 evil\nh a/new b"},
	{"a whiteout through a symbolic link", "l a /OUT\nw a/secret"},
	{"a whiteout of a symbolic link's tree", "l a /OUT\nw a/dir"},
	{"an opaque directory through a symbolic link", "l a /OUT\no a"},
	{"a file in place of a directory through a symbolic link", "l a /OUT\nf a/dir 0644 evil"},
}

// outside is a directory that no archive may touch.
func outside(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	script(t, dir, "echo secret > secret; mkdir -m 700 dir; echo x > dir/x; chmod 600 secret")
	return dir
}

func aim(layer, out string) string {
	return strings.NewReplacer("UP", strings.Repeat("/..", 40)[1:], "/OUT", out, "OUT", out[1:]).Replace(layer)
}

func TestHostileArchivesStayInside(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		for _, c := range hostile {
			t.Run(c.name, func(t *testing.T) {
				t.Cleanup(func() { removeAllLayers(t, s) })
				out := outside(t)
				was := tree(t, out)
				layer := archive(t, aim(c.layer, out))
				_, err := s.Apply("one", "", bytes.NewReader(layer))
				require.Equal(t, was, tree(t, out), "one layer: %v", err)
				if err != nil {
					require.False(t, s.Has("one"))
				}
				// Half of it in the layer below, where the link is not this layer's.
				head, tail, _ := strings.Cut(aim(c.layer, out), "\n")
				_, err = s.Apply("below", "", bytes.NewReader(archive(t, head)))
				if err != nil {
					return
				}
				_, err = s.Apply("above", "below", bytes.NewReader(archive(t, tail)))
				require.Equal(t, was, tree(t, out), "two layers: %v", err)
			})
		}
	})
}

// Each row of hostile must be a real attack: an extractor that believes what names say falls for it.
func TestHostileArchivesBite(t *testing.T) {
	for _, c := range hostile {
		t.Run(c.name, func(t *testing.T) {
			out := outside(t)
			was := tree(t, out)
			naive(t.TempDir(), archive(t, aim(c.layer, out)))
			require.NotEqual(t, was, tree(t, out))
		})
	}
}

// naive unpacks like the first draft of every container engine.
func naive(dir string, archive []byte) {
	for tr := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := tr.Next()
		if err != nil {
			return
		}
		name := filepath.Join(dir, h.Name)
		if hidden, ok := strings.CutPrefix(filepath.Base(name), ".wh."); ok {
			name = filepath.Join(filepath.Dir(name), hidden)
			if hidden == ".wh..opq" {
				_ = exec.Command("find", filepath.Dir(name)+"/", "-mindepth", "1", "-delete").Run()
			}
			_ = os.RemoveAll(name)
			continue
		}
		switch h.Typeflag {
		case tar.TypeDir:
			_ = os.MkdirAll(name, 0o755)
			_ = os.Chmod(name, os.FileMode(h.Mode))
		case tar.TypeReg:
			if i, err := os.Lstat(name); err == nil && i.IsDir() {
				_ = os.RemoveAll(name)
			}
			content, _ := io.ReadAll(tr)
			_ = os.WriteFile(name, content, os.FileMode(h.Mode))
		case tar.TypeSymlink:
			_ = os.Symlink(h.Linkname, name)
		case tar.TypeLink:
			_ = os.Link(filepath.Join(dir, h.Linkname), name)
		case tar.TypeFifo:
			_ = unix.Mkfifo(name, 0o666)
		}
	}
}

// An archive can be honest in its names and still be no layer.
func TestBombsAreRefused(t *testing.T) {
	huge := filepath.Join(t.TempDir(), "huge")
	require.NoError(t, os.WriteFile(huge, nil, 0o600))
	require.NoError(t, os.Truncate(huge, 15<<40))
	sparse, err := exec.Command("tar", "-C", filepath.Dir(huge), "--sparse", "-c", "huge").Output()
	require.NoError(t, err)
	var claim bytes.Buffer
	require.NoError(t, tar.NewWriter(&claim).WriteHeader(&tar.Header{Name: "a", Typeflag: tar.TypeReg, Size: 1 << 60}))
	deep := "f " + strings.Repeat("d/", 3000) + "x 0644"
	loop := "l a b\nl b a\nf a/x 0644"
	bombs := map[string][]byte{
		"a sparse file larger than the disk": sparse, "a size larger than the disk": claim.Bytes(),
		"directories too deep": archive(t, deep), "links in a circle": archive(t, loop),
		"the root is a file": archive(t, "f . 0644"), "the root is a link": archive(t, "l ./ /etc"),
	}
	each(t, func(t *testing.T, s *Store) {
		for name, b := range bombs {
			_, err := s.Apply(id(1), "", bytes.NewReader(b))
			require.Error(t, err, name)
			requireClean(t, s)
		}
		_, err := s.Apply(id(1), "", bytes.NewReader(archive(t, "l a b")))
		require.NoError(t, err)
		_, err = s.Apply(id(2), id(1), bytes.NewReader(archive(t, "l b a\nf a/x 0644")))
		require.ErrorIs(t, err, unix.ELOOP)
	})
}

// An archive must not be able to speak to overlay behind the engine's back.
func TestOverlaysOwnAttributesAreLeftOut(t *testing.T) {
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	require.NoError(t, tw.WriteHeader(&tar.Header{
		Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755, ModTime: epoch, PAXRecords: map[string]string{
			"SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.user.overlay.opaque": "y",
			"SCHILY.xattr.trusted.overlay.redirect": "/usr", "SCHILY.xattr.user.kept": "1",
		},
	}))
	require.NoError(t, tw.Close())
	each(t, func(t *testing.T, s *Store) {
		dir := mounted(t, s, stack(t, s, archive(t, base), buf.Bytes()))
		require.Contains(t, tree(t, dir), "d etc 0755 map[SCHILY.xattr.user.kept:1]\nf etc/hosts 0644 localhost\n")
	})
}

func TestAHundredThousandEntries(t *testing.T) {
	var text strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&text, "f %d/%d 0644 %d\n", i/1000, i, i)
	}
	dir := t.TempDir()
	require.NoError(t, unix.Mount("memory", dir, "tmpfs", 0, "nr_inodes=200k"))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
	s, err := Open(dir, "vfs")
	require.NoError(t, err)
	size, err := s.Apply(id(0), "", bytes.NewReader(archive(t, text.String())))
	require.NoError(t, err)
	require.Equal(t, int64(488890), size)
	require.Equal(t, 100_000+100, strings.Count(tree(t, s.path("layers", dirName(id(0)), "diff")), "\n")-1)
}

// The kernel says EAGAIN to openat2(2) when something on the machine is renamed while it goes through "..".
func TestApplyGoesOnWhileOthersRename(t *testing.T) {
	dir, done, stopped := t.TempDir(), make(chan struct{}), make(chan struct{})
	require.NoError(t, os.Mkdir(filepath.Join(dir, "a"), 0o755))
	go func() {
		defer close(stopped)
		for a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b"); ; a, b = b, a {
			select {
			case <-done:
				return
			default:
				_ = os.Rename(a, b)
			}
		}
	}()
	text := "d x/y/z 0755\nl up x/y/z/../../../x/y/../y/z/../../..\n"
	for i := range 2000 {
		text += fmt.Sprintf("f up/x%d/f 0644\nf up/up/up/f%d 0644\n", i%7, i)
	}
	s := open(t, "overlay")
	_, err := s.Apply(id(0), "", bytes.NewReader(archive(t, text)))
	close(done)
	<-stopped
	require.NoError(t, err)
}

func TestDevicesAreMade(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		dir := mounted(t, s, stack(t, s, archive(t, "c null 0666 1,3\nf after 0644")))
		want := "d . 0755\nf after 0644\nc null 0666 1,3\n"
		if inUserNamespace() {
			want = "d . 0755\nf after 0644\n"
		}
		require.Equal(t, want, tree(t, dir))
	})
}

// A name that a container gave to a file, and that an archive would take for a whiteout, is an error and not a surprise.
func TestANameThatReadsAsAWhiteoutCannotBeArchived(t *testing.T) {
	s := open(t, "overlay")
	require.NoError(t, s.Fork("box", stack(t, s, archive(t, base))))
	require.NoError(t, os.WriteFile(filepath.Join(mounted(t, s, "box"), ".wh.etc"), nil, 0o600))
	r, err := s.Diff("box")
	require.NoError(t, err)
	_, err = io.ReadAll(r)
	require.ErrorContains(t, err, "would read as a whiteout")
	require.NoError(t, r.Close())
}

// A container that runs while its layer is archived may put a link in the place of a directory that was just listed.
func TestDiffDoesNotFollowWhatAContainerSwaps(t *testing.T) {
	s, out := open(t, "overlay"), outside(t)
	require.NoError(t, s.Fork("box", stack(t, s, archive(t, base))))
	box := mounted(t, s, "box")
	script(t, box, "mkdir new; echo mine > new/secret; mkfifo pipe; echo mine > file")
	require.NoError(t, s.compare("box", func(c comparison) error {
		script(t, box, "rm -r new; ln -s "+out+" new")
		require.ErrorIs(t, pack(io.Discard, c.nodes), unix.ELOOP)
		script(t, box, "rm new; mkdir new; mv pipe new/secret")
		require.Error(t, pack(io.Discard, c.nodes), "a FIFO that nobody writes to")
		return nil
	}))
}

func TestDiffMayBeClosedEarly(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		r, err := s.Diff(stack(t, s, archive(t, base)))
		require.NoError(t, err)
		_, err = io.ReadFull(r, make([]byte, 600))
		require.NoError(t, err)
		require.NoError(t, r.Close())
		_, err = r.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.ErrClosedPipe)
	})
}
