package exercises

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	unionfs "cutaway/04-unionfs"
	"cutaway/chapters/exercise"
)

// store is where a grader's layers are.
type store struct {
	*unionfs.Store

	g   *exercise.G
	dir string
}

func newStore(g *exercise.G) store {
	dir := g.Dir("layers")
	s, err := unionfs.Open(dir, "overlay")
	g.Must(err)
	return store{s, g, dir}
}

// apply makes a layer of entries: a name that ends in "/" is a directory, "link -> target" a symbolic link,
// "name=content" and anything else a file.
func (s store) apply(id, parent string, entries ...string) error {
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	for _, e := range entries {
		h := &tar.Header{Name: e, Mode: 0o755, Typeflag: tar.TypeReg}
		name, content, _ := strings.Cut(e, "=")
		if link, target, ok := strings.Cut(e, " -> "); ok {
			h.Name, h.Linkname, h.Typeflag = link, target, tar.TypeSymlink
		} else if strings.HasSuffix(e, "/") {
			h.Typeflag = tar.TypeDir
		} else {
			h.Name, h.Size = name, int64(len(content))
		}
		s.g.Must(tw.WriteHeader(h))
		if h.Size > 0 {
			_, err := tw.Write([]byte(content))
			s.g.Must(err)
		}
	}
	s.g.Must(tw.Close())
	_, err := s.Apply(id, parent, &buf)
	return err
}

// diff is a file of a layer as it is on disk.
func (s store) diff(id, name string) string {
	return filepath.Join(s.dir, "overlay/layers", id, "diff", name)
}

// mounted shows a layer until the grader ends.
func (s store) mounted(id string) string {
	target := s.g.Dir("merged")
	m, err := s.Mount(id, target)
	s.g.Must(err)
	s.g.NoError(m.Do(), "The kernel did not take the mount: are the names relative to Dir, and is there an upper directory without a work directory?")
	s.g.Cleanup(func() { s.g.Must(m.Undo()) })
	return target
}

// look says what is on disk.
func look(file string) string {
	var st unix.Stat_t
	err := unix.Lstat(file, &st)
	switch {
	case errors.Is(err, unix.ENOENT):
		return "nothing"
	case err != nil:
		return err.Error()
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		return fmt.Sprintf("a character device %d, %d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	case unix.S_IFDIR:
		return "a directory"
	case unix.S_IFREG:
		return "a file"
	}
	return "something else"
}

// content is what is in a file; an error is a text too.
func content(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
