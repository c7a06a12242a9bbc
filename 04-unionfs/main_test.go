package unionfs

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"cutaway/chapters/lab"
)

func TestMain(m *testing.M) { lab.Main(m, lab.RootOrSandbox) }

// epoch is the time of every file that a test does not give another.
var epoch = time.Unix(1_000_000_000, 0)

// archive makes a tar of lines in a tiny language: what a file is, its name, its mode or target, its content or owner.
//
//	d etc 0755 0:0            a directory, mode, owner (root if absent)
//	f etc/passwd 0644 root    a file, mode, content (may be absent)
//	l bin usr/bin             a symbolic link and where it leads (and a mode, for tests that count bits)
//	h etc/copy etc/passwd     a hard link and the other name
//	c dev/null 0666 1,3       a character device
//	p run/pipe 0600           a FIFO
//	w etc/passwd              a whiteout
//	o etc                     an opaque directory (and its mode and owner, which Docker writes there)
func archive(t testing.TB, text string) []byte {
	t.Helper()
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		h, content := parse(line)
		require.NoError(t, tw.WriteHeader(h), line)
		_, err := io.WriteString(tw, content)
		require.NoError(t, err, line)
	}
	require.NoError(t, tw.Close())
	return buf.Bytes()
}

func parse(line string) (*tar.Header, string) {
	f := append(strings.Fields(line), "", "", "")
	kind, name, arg, more := f[0], f[1], f[2], f[3]
	h := &tar.Header{Name: name, ModTime: epoch, Format: tar.FormatPAX}
	h.Mode, _ = strconv.ParseInt(arg, 8, 64)
	switch kind {
	case "d":
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
		_, _ = fmt.Sscanf(more, "%d:%d", &h.Uid, &h.Gid)
	case "f":
		h.Typeflag, h.Size = tar.TypeReg, int64(len(more))
		return h, more
	case "l":
		h.Typeflag, h.Linkname = tar.TypeSymlink, arg
		h.Mode, _ = strconv.ParseInt(more, 8, 64)
	case "h":
		h.Typeflag, h.Linkname = tar.TypeLink, arg
		h.Mode, _ = strconv.ParseInt(more, 8, 64)
	case "c":
		h.Typeflag = tar.TypeChar
		_, _ = fmt.Sscanf(more, "%d,%d", &h.Devmajor, &h.Devminor)
	case "p":
		h.Typeflag = tar.TypeFifo
	case "w":
		h.Name = path.Join(path.Dir(name), ".wh."+path.Base(name))
	case "o":
		h.Name = path.Join(name, ".wh..wh..opq")
		if more != "" {
			h.ModTime = time.Unix(0, 0)
			_, _ = fmt.Sscanf(more, "%d:%d", &h.Uid, &h.Gid)
		}
	}
	return h, ""
}

// tree shows a directory in the same language, sorted, the root first. Whatever two trees can differ in and a
// layer can say is in it, except times, which tests of times look at themselves.
func tree(t testing.TB, dir string) string {
	t.Helper()
	var out strings.Builder
	names := map[uint64]string{}
	require.NoError(t, filepath.WalkDir(dir, func(file string, _ fs.DirEntry, err error) error {
		require.NoError(t, err)
		n := node{file: file, Change: Change{Path: strings.TrimPrefix(strings.TrimPrefix(file, dir), "/")}}
		require.NoError(t, lstat(file, &n.st))
		if n.Path == "" {
			n.Path = "."
		}
		if first, ok := names[n.st.Ino]; ok && n.st.Nlink > 1 && !n.isDir() {
			fmt.Fprintf(&out, "h %s %s\n", n.Path, first)
			return nil
		}
		names[n.st.Ino] = n.Path
		fmt.Fprintln(&out, line(t, n))
		return nil
	}))
	return out.String()
}

// line shows one file.
func line(t testing.TB, n node) string {
	t.Helper()
	name, st, extra, mode := n.Path, n.st, "", n.st.Mode&0o7777
	if st.Uid != 0 || st.Gid != 0 {
		extra = fmt.Sprintf(" %d:%d", st.Uid, st.Gid)
	}
	all, err := xattrs(n.file)
	require.NoError(t, err)
	if len(all) > 0 {
		extra += fmt.Sprintf(" %v", all)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return fmt.Sprintf("d %s %04o%s", name, mode, extra)
	case unix.S_IFREG:
		b, err := os.ReadFile(n.file)
		require.NoError(t, err)
		return strings.TrimSpace(fmt.Sprintf("f %s %04o %s%s", name, mode, b, extra))
	case unix.S_IFLNK:
		target, err := os.Readlink(n.file)
		require.NoError(t, err)
		return fmt.Sprintf("l %s %s%s", name, target, extra)
	case unix.S_IFCHR, unix.S_IFBLK:
		return fmt.Sprintf("c %s %04o %d,%d%s", name, mode, unix.Major(st.Rdev), unix.Minor(st.Rdev), extra)
	}
	return fmt.Sprintf("p %s %04o%s", name, mode, extra)
}

// lines removes the indentation of a tree that is written in a test.
func lines(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}

// open opens a new store for one driver, or skips the test where the driver cannot work.
func open(t testing.TB, name string) *Store {
	t.Helper()
	dir := t.TempDir()
	switch name {
	case "fuse-overlayfs":
		lab.NeedProgram(t, "fuse-overlayfs")
	case "overlay":
		if inUserNamespace() {
			lab.NeedKernel(t, "5.11", "overlay in user namespaces")
		}
	case "btrfs":
		lab.NeedRoot(t)
		dir = btrfsDir(t)
	case "devicemapper":
		lab.NeedRoot(t)
		dir = poolDir(t, 512<<20)
	}
	s, err := Open(dir, name)
	require.NoError(t, err)
	require.Equal(t, name, s.Driver())
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// btrfsDir mounts a new btrfs in a file.
func btrfsDir(t testing.TB) string {
	t.Helper()
	lab.NeedProgram(t, "mkfs.btrfs")
	image, dir := filepath.Join(t.TempDir(), "disk"), t.TempDir()
	require.NoError(t, os.WriteFile(image, nil, 0o600))
	require.NoError(t, os.Truncate(image, 256<<20))
	run(t, "mkfs.btrfs", "-q", image)
	run(t, "mount", "-o", "loop", image, dir)
	t.Cleanup(func() { // a process that a parallel test just forked has all descriptors until it executes
		require.Eventually(t, func() bool { return unix.Unmount(dir, 0) == nil }, 30*time.Second, 10*time.Millisecond)
	})
	return dir
}

// poolDir has a devicemapper pool of some bytes in it. No device of it is left when the test ends.
func poolDir(t testing.TB, size int64) string {
	t.Helper()
	f, err := os.Open(control) // a name without a driver may be left of an earlier dmsetup
	lab.NeedSupport(t, err, "")
	require.NoError(t, f.Close())
	lab.NeedProgram(t, "mkfs.ext4")
	dir := t.TempDir()
	pool := filepath.Join(dir, "devicemapper/pool")
	require.NoError(t, os.MkdirAll(pool, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(pool, "data"), nil, 0o600))
	require.NoError(t, os.Truncate(filepath.Join(pool, "data"), size))
	t.Cleanup(func() {
		require.Eventually(t, func() bool {
			return gone(thin(pool, 0).Pool)
		}, 30*time.Second, 10*time.Millisecond, "the pool is still there")
	})
	return dir
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return string(out)
}

// id names the n-th layer of a test as a ChainID.
func id(n int) string { return fmt.Sprintf("sha256:%064d", n) }

// stack applies one archive on top of the other and returns the ID of the last.
func stack(t testing.TB, s *Store, archives ...[]byte) string {
	t.Helper()
	top := ""
	for i, a := range archives {
		_, err := s.Apply(id(i), top, bytes.NewReader(a))
		require.NoError(t, err)
		top = id(i)
	}
	return top
}

// mounted mounts a layer until the end of the test.
func mounted(t testing.TB, s *Store, id string) string {
	t.Helper()
	target := t.TempDir()
	m, err := s.Mount(id, target)
	require.NoError(t, err)
	require.NoError(t, m.Do())
	t.Cleanup(func() { require.NoError(t, m.Undo()) })
	return target
}

// each runs a test once for each driver.
func each(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Helper()
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel() // most of the time goes by while the kernel unmounts
			test(t, open(t, d.name))
		})
	}
}
