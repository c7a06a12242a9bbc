package build

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// ignoreFile, in the context's root, says what is not part of it.
const ignoreFile = ".dockerignore"

// Ignore is what a .dockerignore says. The zero Ignore leaves nothing out.
type Ignore struct {
	matcher *patternmatcher.PatternMatcher
}

// ReadIgnore reads a .dockerignore; nil is one that is not there.
func ReadIgnore(text io.Reader) (Ignore, error) {
	if text == nil {
		return Ignore{}, nil
	}
	patterns, err := ignorefile.ReadAll(text)
	if err != nil {
		return Ignore{}, badContext.errorf("%s: %w", ignoreFile, err)
	}
	m, err := patternmatcher.New(patterns)
	if err != nil {
		return Ignore{}, badContext.errorf("%s: %w", ignoreFile, err)
	}
	return Ignore{m}, nil
}

// walk visits what is left in, the directories before what is in them. keep
// names files that are left in anyway.
func (i Ignore) walk(root *os.Root, visit func(name string, info fs.FileInfo) error, keep ...string) error {
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if i.matcher != nil && !slices.Contains(keep, name) {
			out, err := i.matcher.MatchesOrParentMatches(name)
			switch {
			case err != nil:
				return badContext.errorf("%s: %w", ignoreFile, err)
			case out && d.IsDir() && !i.matcher.Exclusions() && !holds(name, keep):
				return fs.SkipDir
			case out:
				return nil
			}
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return visit(name, info)
	})
}

// holds tells whether one of the files is in a directory.
func holds(dir string, files []string) bool {
	return slices.ContainsFunc(files, func(f string) bool { return strings.HasPrefix(f, dir+"/") })
}

// Send writes the context in a directory as an archive: what is left in, the
// Dockerfile and the .dockerignore themselves in any case, since the engine needs
// them. Owners do not matter to a build and are left out.
func (i Ignore) Send(w io.Writer, dir string, dockerfile string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	out := tar.NewWriter(w)
	err = i.walk(root, func(name string, info fs.FileInfo) error {
		if info.Mode()&fs.ModeSocket != 0 {
			return nil
		}
		target := ""
		if info.Mode()&fs.ModeSymlink != 0 {
			if target, err = root.Readlink(name); err != nil {
				return err
			}
		}
		h, err := tar.FileInfoHeader(info, target)
		if err != nil {
			return err
		}
		*h = tar.Header{Typeflag: h.Typeflag, Name: name, Linkname: h.Linkname, Size: h.Size, Mode: int64(unixMode(info)), ModTime: h.ModTime, Format: tar.FormatPAX}
		if info.IsDir() {
			h.Name += "/"
		}
		if err := out.WriteHeader(h); err != nil || h.Typeflag != tar.TypeReg {
			return err
		}
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.CopyN(out, f, h.Size)
		return err
	}, dockerfile, ignoreFile)
	if err != nil {
		return fmt.Errorf("send the context: %w", err)
	}
	return out.Close()
}

// Receive unpacks a context into a directory, reads the archive to its end, and
// removes what the .dockerignore in it leaves out. An entry that would lead out
// of the directory is refused: os.Root sees to that.
func Receive(archive io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	plain, err := decompress(archive)
	if err != nil {
		return badContext.errorf("read the context: %w", err)
	}
	r := receiver{Root: root}
	for in := tar.NewReader(plain); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return badContext.errorf("read the context: %w", err)
		}
		if err := r.entry(h, in); err != nil {
			return badContext.errorf("unpack the context: %q: %w", h.Name, err)
		}
	}
	for _, d := range slices.Backward(r.dirs) {
		if err := errors.Join(root.Chmod(d.name, d.mode), root.Chtimes(d.name, d.time, d.time)); err != nil {
			return badContext.errorf("unpack the context: %w", err)
		}
	}
	_, err = io.Copy(io.Discard, archive)
	return err
}

// Trim removes what the .dockerignore of a received context leaves out. The
// Dockerfile must have been read before: it may be among it.
func Trim(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	f, err := root.Open(ignoreFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return badContext.errorf("%s: %w", ignoreFile, err)
	}
	i, err := ReadIgnore(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	kept := map[string]bool{".": true}
	err = i.walk(root, func(name string, _ fs.FileInfo) error {
		for dir := name; !kept[dir]; dir = filepath.Dir(dir) {
			kept[dir] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || kept[name] {
			return err
		}
		if err := root.RemoveAll(name); err != nil || !d.IsDir() {
			return err
		}
		return fs.SkipDir
	})
}

// receiver unpacks.
type receiver struct {
	*os.Root
	dirs []stamp
}

// stamp is what a directory gets at last: what is put into it changes its time,
// and may need its permission.
type stamp struct {
	name string
	mode fs.FileMode
	time time.Time
}

// entry makes one file.
func (r *receiver) entry(h *tar.Header, content io.Reader) error {
	name, err := inside(h.Name)
	if err != nil || name == "." || h.Typeflag == tar.TypeXGlobalHeader {
		return err
	}
	mode := h.FileInfo().Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	if h.Typeflag == tar.TypeDir {
		r.dirs = append(r.dirs, stamp{name, mode, h.ModTime})
		return r.MkdirAll(name, 0o755)
	}
	if err := r.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := r.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		f, err := r.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, content)
		return errors.Join(err, f.Chmod(mode), f.Close(), r.Chtimes(name, h.ModTime, h.ModTime))
	case tar.TypeSymlink:
		return r.Symlink(h.Linkname, name)
	case tar.TypeLink:
		target, err := inside(h.Linkname)
		if err != nil {
			return err
		}
		return r.Link(target, name)
	}
	return errors.New("a context has files, directories and links; leave this one out with " + ignoreFile)
}
