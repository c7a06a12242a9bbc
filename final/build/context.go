package build

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	images "cutaway/05-images"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// ignoreFile, in the context's root, says what is not part of it.
const ignoreFile = ".dockerignore"

// ignore is what a .dockerignore says. The zero ignore leaves nothing out.
type ignore struct {
	matcher *patternmatcher.PatternMatcher
}

func readIgnore(text []byte) (ignore, error) {
	patterns, err := ignorefile.ReadAll(bytes.NewReader(text))
	if err != nil {
		return ignore{}, badContext.errorf("%s: %w", ignoreFile, err)
	}
	m, err := patternmatcher.New(patterns)
	if err != nil {
		return ignore{}, badContext.errorf("%s: %w", ignoreFile, err)
	}
	return ignore{m}, nil
}

// walk visits what is left in, the directories before what is in them. keep
// names files that are left in anyway.
func (i ignore) walk(root *os.Root, visit func(name string, info fs.FileInfo) error, keep ...string) error {
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if !slices.Contains(keep, name) {
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

// Sending is a context on its way to the engine.
type Sending struct {
	Dir        string // "" = the Dockerfile is all there is
	Dockerfile string // its name in Dir, or a new one if Text is set
	Text       []byte // a Dockerfile from elsewhere; nil = it is in Dir
}

// Send writes a context as an archive: what the .dockerignore leaves in, the
// Dockerfile and the .dockerignore themselves in any case, since the engine needs
// them. Owners do not matter to a build, and are left out.
func (s Sending) Send(w io.Writer) error {
	out := tar.NewWriter(w)
	var ignored []byte
	if s.Dir != "" {
		root, err := os.OpenRoot(s.Dir)
		if err != nil {
			return err
		}
		defer root.Close()
		if ignored, err = s.files(out, root); err != nil {
			return fmt.Errorf("send the context: %w", err)
		}
	}
	if s.Text != nil {
		// It is no part of the context: COPY must not find it.
		ignored = fmt.Appendf(ignored, "\n%s\n%s\n", ignoreFile, s.Dockerfile)
		for name, content := range map[string][]byte{s.Dockerfile: s.Text, ignoreFile: ignored} {
			h := tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: 0o600, Format: tar.FormatPAX}
			if err := out.WriteHeader(&h); err != nil {
				return err
			}
			if _, err := out.Write(content); err != nil {
				return err
			}
		}
	}
	return out.Close()
}

// files sends what is in the directory, and returns the .dockerignore.
func (s Sending) files(out *tar.Writer, root *os.Root) (text []byte, err error) {
	text, err = root.ReadFile(ignoreFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	ignore, err := readIgnore(text)
	if err != nil {
		return nil, err
	}
	return text, ignore.walk(root, func(name string, info fs.FileInfo) error {
		h := &tar.Header{Name: name, Mode: int64(unixMode(info)), ModTime: info.ModTime().Truncate(time.Second)} // as Docker's client does
		var err error
		switch mode := info.Mode(); {
		case mode.IsDir():
			h.Typeflag, h.Name = tar.TypeDir, name+"/"
		case mode.IsRegular():
			return sendFile(out, root, h)
		case mode&fs.ModeSymlink != 0:
			h.Typeflag = tar.TypeSymlink
			if h.Linkname, err = root.Readlink(name); err != nil {
				return err
			}
		case mode&fs.ModeSocket != 0:
			return nil
		default:
			return badContext.errorf("%s: a context has files, directories and links; leave this one out with %s", name, ignoreFile)
		}
		return out.WriteHeader(h)
	}, s.Dockerfile, ignoreFile)
}

// sendFile sends a regular file, as long as it is when it is opened.
func sendFile(out *tar.Writer, root *os.Root, h *tar.Header) error {
	f, err := root.Open(h.Name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h.Typeflag, h.Size = tar.TypeReg, info.Size()
	if err := out.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.CopyN(out, f, h.Size)
	return err
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
	plain, err := images.Decompress(archive)
	if err != nil {
		return badContext.errorf("read the context: %w", err)
	}
	defer plain.Close()
	r := receiver{Root: root}
	defer r.forget()
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
	text, err := root.ReadFile(ignoreFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return badContext.errorf("%s: %w", ignoreFile, err)
	}
	i, err := readIgnore(text)
	if err != nil {
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

	last     *os.Root // the directory of the last file: the next one is mostly there, too
	lastName string
}

// in opens the directory of a file, and makes it if need be.
func (r *receiver) in(dir string) (*os.Root, error) {
	if r.last != nil && r.lastName == dir {
		return r.last, nil
	}
	r.forget()
	if err := r.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	r.last, err = r.OpenRoot(dir)
	r.lastName = dir
	return r.last, err
}

func (r *receiver) forget() {
	if r.last != nil {
		r.last.Close()
		r.last = nil
	}
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
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		return r.file(name, stamp{mode: mode, time: h.ModTime}, content)
	case tar.TypeDir:
		r.dirs = append(r.dirs, stamp{name, mode, h.ModTime})
		return r.MkdirAll(name, 0o755)
	}
	r.forget() // it may have been what this entry takes the place of
	err = errors.Join(r.MkdirAll(filepath.Dir(name), 0o755), r.clear(name))
	switch {
	case err != nil:
		return err
	case h.Typeflag == tar.TypeSymlink:
		return r.Symlink(h.Linkname, name)
	case h.Typeflag == tar.TypeLink:
		target, err := inside(h.Linkname)
		if err != nil {
			return err
		}
		return r.Link(target, name)
	}
	return errors.New("a context has files, directories and links; leave this one out with " + ignoreFile)
}

// clear makes room: the last entry of a name counts.
func (r *receiver) clear(name string) error {
	if err := r.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// file makes a regular file.
func (r *receiver) file(name string, s stamp, content io.Reader) error {
	dir, err := r.in(filepath.Dir(name))
	if err != nil {
		return err
	}
	base := filepath.Base(name)
	const flags = os.O_CREATE | os.O_EXCL | os.O_WRONLY
	f, err := dir.OpenFile(base, flags, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if err = dir.Remove(base); err == nil {
			f, err = dir.OpenFile(base, flags, 0o600)
		}
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Chmod(s.mode), f.Close(), dir.Chtimes(base, s.time, s.time))
}
