package unionfs

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// stacks is the conformance suite: what any driver must show for a stack of archives, lowest first.
var stacks = []struct {
	name   string
	layers []string
	want   string
}{
	{"files of all layers are seen", []string{"d a 0755\nf a/x 0644 1", "d a 0755\nf a/y 0600 2"}, `
		d . 0755
		d a 0755
		f a/x 0644 1
		f a/y 0600 2`},
	{"a whiteout removes a file", []string{"f a 0644 1\nf b 0644 2", "w a"}, `
		d . 0755
		f b 0644 2`},
	{"a whiteout removes a tree", []string{"d a 0755\nd a/b 0755\nf a/b/c 0644 1", "w a"}, `
		d . 0755`},
	{"a whiteout of nothing is nothing", []string{"f a 0644 1", "w b\nw x/y"}, `
		d . 0755
		f a 0644 1
		d x 0755`},
	{"what was removed can come back", []string{"f a 0644 1", "w a", "f a 0600 3"}, `
		d . 0755
		f a 0600 3`},
	{"an opaque directory hides what is below", []string{"d a 0755\nf a/x 0644 1\nd a/s 0755\nf a/s/t 0644", "d a 0700\no a\nf a/y 0644 2"}, `
		d . 0755
		d a 0700
		f a/y 0644 2`},
	{"an opaque marker may come last", []string{"d a 0755\nf a/x 0644 1", "d a 0700\nf a/y 0644 2\no a"}, `
		d . 0755
		d a 0700
		f a/y 0644 2`},
	{"whiteouts in an opaque directory are nothing", []string{"f a/x 0644 1\nf a/s/y 0644", "w a/x\nw a/s/y\no a\nw a/z\nd a/s 0755\nw a/s/y", "f b 0644"}, `
		d . 0755
		d a 0755
		d a/s 0755
		f b 0644`},
	{"a root can be opaque", []string{"f a 0644 1", "o .\nf b 0644 2"}, `
		d . 0755
		f b 0644 2`},
	{"a whiteout spares its own layer", []string{"f a 0644 1\nd d 0755\nf d/x 0644", "f a 0644 2\nw a\nd d 0755\nf d/y 0644\nw d"}, `
		d . 0755
		f a 0644 2
		d d 0755
		f d/y 0644`},
	{"a directory of nothing but whiteouts goes with its own", []string{"f d/e/x 0644\nf d/y 0644\nf f/x 0644\nf f/y 0644", "w d/e/x\nw d\nf f/x 0600\nw f"}, `
		d . 0755
		d f 0755
		f f/x 0600`},
	{"a file that a hard link copied up goes with its whiteout", []string{"f a 0640 1", "h b a\nw a"}, `
		d . 0755
		f b 0640 1`},
	{"a directory after its whiteout starts empty", []string{"d d 0755\nf d/x 0644", "w d\nd d 0711\nf d/y 0644"}, `
		d . 0755
		d d 0711
		f d/y 0644`},
	{"a file replaces a directory", []string{"d a 0755\nf a/x 0644", "f a 0644 1", "d b 0755"}, `
		d . 0755
		f a 0644 1
		d b 0755`},
	{"a directory replaces a file", []string{"f a 0644 1", "d a 0755\nf a/x 0644"}, `
		d . 0755
		d a 0755
		f a/x 0644`},
	{"a directory replaces a symbolic link", []string{"d t 0755\nf t/x 0644\nl a t", "d a 0755\nf a/y 0644"}, `
		d . 0755
		d a 0755
		f a/y 0644
		d t 0755
		f t/x 0644`},
	{"a symbolic link replaces a directory", []string{"d a 0755\nf a/x 0644", "l a elsewhere"}, `
		d . 0755
		l a elsewhere`},
	{"the last of two entries counts", []string{"f a 0644 1\nf a 0600 2\nl b x\nd b 0755"}, `
		d . 0755
		f a 0600 2
		d b 0755`},
	{"a directory keeps its look in layers that do not mention it", []string{"d a 0750 7:8\nd a/b 01777", "f a/b/c 0644 1"}, `
		d . 0755
		d a 0750 7:8
		d a/b 1777
		f a/b/c 0644 1`},
	{"a directory takes its look from the layer that mentions it last", []string{"d a 0750 7:8\nf a/x 0644", "d a 0700 9:9"}, `
		d . 0755
		d a 0700 9:9
		f a/x 0644`},
	{"the root has a mode and an owner", []string{"d . 0711 3:4\nf a 0644", "f b 0644"}, `
		d . 0711 3:4
		f a 0644
		f b 0644`},
	{"set-user-ID and sticky bits stay", []string{"f su 04755 x\nf sg 02755 x\nd tmp 01777"}, `
		d . 0755
		f sg 2755 x
		f su 4755 x
		d tmp 1777`},
	{"hard links are one file", []string{"f a 0644 1\nh b a\nl s a\nh t s"}, `
		d . 0755
		f a 0644 1
		h b a
		l s a
		h t s`},
	{"a hard link may name a file of a layer below", []string{"d d 0755\nf d/a 0640 1", "h b d/a"}, `
		d . 0755
		f b 0640 1
		d d 0755
		h d/a b`},
	{"a hard link and its file may be named through symbolic links", []string{"f usr/lib/a 0640 1", "l lib usr/lib\nh lib/b lib/a\nh c lib/b"}, `
		d . 0755
		f c 0640 1
		l lib usr/lib
		d usr 0755
		d usr/lib 0755
		h usr/lib/a c
		h usr/lib/b c`},
	{"an entry goes through a symbolic link of its layer", []string{"d usr/lib 0755\nl lib usr/lib\nf lib/x 0644 1"}, `
		d . 0755
		l lib usr/lib
		d usr 0755
		d usr/lib 0755
		f usr/lib/x 0644 1`},
	{"an entry goes through a symbolic link of a layer below", []string{"d usr/lib 0755\nl lib usr/lib\nl run /var/run\nd var/run 0711", "f lib/x 0644 1\nf run/y/z 0644"}, `
		d . 0755
		l lib usr/lib
		l run /var/run
		d usr 0755
		d usr/lib 0755
		f usr/lib/x 0644 1
		d var 0755
		d var/run 0711
		d var/run/y 0755
		f var/run/y/z 0644`},
	{"AUFS's notes are left out", []string{"f .wh..wh.aufs 0644\nd .wh..wh.plnk 0700\nf .wh..wh.plnk/1.2 0644\nf a 0644"}, `
		d . 0755
		f a 0644`},
	{"overlay's own whiteout removes too", []string{"f a 0644 1\nd b 0755\nf b/c 0644", "c a 0 0,0\nc b 0 0,0"}, `
		d . 0755`},
	{"names may hold anything but a slash", []string{"f a\x7f\xff\\'\":,=|.wh. 0644 1"}, `
		d . 0755
		f a` + "\x7f\xff" + `\'":,=|.wh. 0644 1`},
}

func TestLayersShowAsOneTree(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		for _, c := range stacks {
			t.Run(c.name, func(t *testing.T) {
				t.Cleanup(func() { removeAllLayers(t, s) })
				top := stack(t, s, archives(t, c.layers)...)
				require.Equal(t, lines(c.want), tree(t, mounted(t, s, top)), "read-only")
				require.NoError(t, s.Fork("box", top))
				require.Equal(t, lines(c.want), tree(t, mounted(t, s, "box")), "with a writable layer")
			})
		}
	})
}

// A layer's own archive must say the same as the archive that it came from.
func TestDiffAppliesToTheSameTree(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		for _, c := range stacks {
			t.Run(c.name, func(t *testing.T) {
				t.Cleanup(func() { removeAllLayers(t, s) })
				stack(t, s, archives(t, c.layers)...)
				var again [][]byte
				for i := range c.layers {
					again = append(again, diff(t, s, id(i)))
				}
				removeAllLayers(t, s)
				top := stack(t, s, again...)
				require.Equal(t, lines(c.want), tree(t, mounted(t, s, top)))
			})
		}
	})
}

func archives(t testing.TB, texts []string) (all [][]byte) {
	t.Helper()
	for _, text := range texts {
		all = append(all, archive(t, text))
	}
	return all
}

func diff(t testing.TB, s *Store, id string) []byte {
	t.Helper()
	r, err := s.Diff(id)
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return b
}

// removeAllLayers removes layers until none is left, those first on which nothing builds.
func removeAllLayers(t testing.TB, s *Store) {
	t.Helper()
	for range 1000 {
		ids, err := s.List()
		require.NoError(t, err)
		if len(ids) == 0 {
			requireClean(t, s)
			return
		}
		for _, id := range ids {
			if err := s.Remove(id); err != nil {
				require.ErrorIs(t, err, ErrInUse)
			}
		}
	}
	t.Fatal("layers cannot be removed")
}

// requireClean fails if the store holds anything that is no layer.
func requireClean(t testing.TB, s *Store) {
	t.Helper()
	ids, err := s.List()
	require.NoError(t, err)
	drafts, err := os.ReadDir(s.path("tmp"))
	require.NoError(t, err)
	require.Empty(t, drafts)
	links, err := os.ReadDir(s.path("l"))
	require.NoError(t, err)
	require.LessOrEqual(t, len(links), len(ids))
}

func TestEverythingThatATarSaysIsKept(t *testing.T) {
	src := t.TempDir()
	long := filepath.Join(src, "long", string(bytes.Repeat([]byte("n"), 200)), string(bytes.Repeat([]byte("m"), 200)))
	require.NoError(t, os.MkdirAll(long, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(long, "new\nline"), []byte("1"), 0o604))
	require.NoError(t, os.WriteFile(filepath.Join(src, "ping"), []byte("elf"), 0o755))
	require.NoError(t, setXattr(filepath.Join(src, "ping"), "user.color", "blue\x00\n"))
	require.NoError(t, unix.Lsetxattr(filepath.Join(src, "ping"), "security.capability", capNetRaw, 0))
	sparse, err := os.Create(filepath.Join(src, "sparse"))
	require.NoError(t, err)
	_, err = sparse.WriteAt([]byte("end"), 8<<20)
	require.NoError(t, err)
	require.NoError(t, sparse.Close())
	for i, name := range []string{"ping", "long", "."} {
		ts := []unix.Timespec{{Sec: 1e9, Nsec: 1}, {Sec: 1e9 + int64(i), Nsec: 123456789}}
		require.NoError(t, unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(src, name), ts, 0))
	}
	for _, format := range [][]string{
		{"--format=pax", "--xattrs", "--xattrs-include=*"},
		{"--format=gnu"},
		{"--format=gnu", "--sparse"},
		{"--format=pax", "--sparse", "--sparse-version=0.0"},
		{"--format=pax", "--sparse", "--sparse-version=0.1"},
		{"--format=pax", "--sparse", "--sparse-version=1.0"},
	} {
		t.Run(format[len(format)-1], func(t *testing.T) {
			a, err := exec.Command("tar", append(format, "-C", src, "-c", ".")...).Output()
			require.NoError(t, err)
			dst := t.TempDir()
			cmd := exec.Command("tar", "--xattrs", "--xattrs-include=*", "-C", dst, "-xp")
			cmd.Stdin = bytes.NewReader(a)
			require.NoError(t, cmd.Run())
			each(t, func(t *testing.T, s *Store) {
				got := mounted(t, s, stack(t, s, a))
				require.Equal(t, tree(t, dst), tree(t, got))
				requireSameTimes(t, dst, got)
				if slices.Contains(format, "--sparse") {
					require.Less(t, blocks(t, filepath.Join(got, "sparse")), int64(64), "512-byte blocks")
				}
			})
		})
	}
}

// capNetRaw is a file capability set of cap_net_raw=ep, revision 2: capabilities(7), linux/capability.h.
var capNetRaw = []byte{1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

func blocks(t testing.TB, file string) int64 {
	t.Helper()
	var st unix.Stat_t
	require.NoError(t, lstat(file, &st))
	return st.Blocks
}

func requireSameTimes(t testing.TB, a, b string) {
	t.Helper()
	for _, name := range []string{".", "ping", "long", "sparse"} {
		var was, is unix.Stat_t
		require.NoError(t, lstat(filepath.Join(a, name), &was))
		require.NoError(t, lstat(filepath.Join(b, name), &is))
		require.Equal(t, was.Mtim, is.Mtim, name)
	}
}

// TestInAUserNamespace runs the tests of drivers again as root of a user namespace, as rootless engines are.
func TestInAUserNamespace(t *testing.T) {
	if inUserNamespace() {
		return // all the tests are there already
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^(TestLayers|TestDiff|TestDevices|TestContainer|TestOverlay)", "-test.v")
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1 << 16}}
	cmd.Env = append(os.Environ(), "CUTAWAY_TIER=") // nobody promised the host's root to these
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS, UidMappings: ids, GidMappings: ids,
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestLayersShowAsOneTree/overlay/")
}
