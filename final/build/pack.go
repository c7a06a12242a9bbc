package build

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/moby/patternmatcher"
	"golang.org/x/sys/unix"
)

// source is one thing that is copied.
type source struct {
	in      tree        // where it is
	name    string      // its name there, without links
	base    string      // its name in a directory, if it is a file
	under   string      // the directory of its own that --parents keeps
	info    fs.FileInfo // nil for a heredoc
	content []byte      // of a heredoc
	archive bool        // to be unpacked
}

func (s source) isDir() bool { return s.info != nil && s.info.IsDir() }

// packer writes the archive of one COPY or ADD. Before it is placed, it writes
// one that depends on nothing but the sources: the cache's key is made of it.
type packer struct {
	copying
	tree

	sources  []source
	ignore   *patternmatcher.PatternMatcher
	uid, gid int // -1 = as in the source with --from and in archives, else 0

	placed bool
	below  tree   // the files of the image
	dest   string // relative to the root
	into   bool   // dest is a directory that files go into
	exists bool   // it is there

	w     *tar.Writer
	ctx   context.Context //nolint:containedctx // of the one call of pack
	links map[inode]string
}

// inode is a file that may have several names.
type inode struct{ dev, ino uint64 }

// pack writes the archive.
func (p *packer) pack(ctx context.Context, w *tar.Writer) error {
	p.w, p.ctx, p.links = w, ctx, map[inode]string{}
	if p.placed {
		if err := p.prepare(); err != nil {
			return err
		}
	}
	for _, s := range p.sources {
		var err error
		switch {
		case s.info == nil:
			err = p.write(&tar.Header{Typeflag: tar.TypeReg, Name: p.at(s), Mode: 0o644, ModTime: time.Now()}, bytes.NewReader(s.content))
		case s.archive && p.placed:
			err = p.unpackTo(s)
		case s.isDir():
			err = p.walk(s)
		default:
			err = p.file(s, item{name: p.at(s), path: s.name, info: s.info})
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.copying.name, err)
		}
	}
	return w.Close()
}

// prepare writes the directories that are not there yet.
func (p *packer) prepare() error {
	dir := path.Dir(p.dest)
	if p.into || p.sources[0].isDir() || p.sources[0].archive {
		dir = p.dest
	}
	for _, name := range absentDirs(p.below, dir) {
		h := &tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755, ModTime: time.Now()}
		if s := p.sources[0]; name == p.dest && s.isDir() && s.name != "." {
			h.Mode = int64(unixMode(s.info))
			if err := p.write(h, nil); err != nil {
				return err
			}
			continue
		}
		h.Uid, h.Gid = max(p.uid, 0), max(p.gid, 0)
		if err := p.w.WriteHeader(h); err != nil { // --chmod is not for it
			return err
		}
	}
	return nil
}

// absentDirs lists the directories on the way to dir that are not there, the
// uppermost first.
func absentDirs(t tree, dir string) (list []string) {
	parts := strings.Split(dir, "/")
	for i := range parts {
		if name := path.Join(parts[:i+1]...); name != "" && name != "." && !t.isDir(name) {
			list = append(list, name)
		}
	}
	return list
}

// directories is an archive of a directory and those above it that are not there.
func directories(t tree, dir string) io.Reader {
	var buf bytes.Buffer
	p := &packer{w: tar.NewWriter(&buf), ctx: context.Background(), placed: true, below: t}
	for _, name := range absentDirs(t, dir) {
		_ = p.write(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755, ModTime: time.Now()}, nil) // to memory
	}
	_ = p.w.Close()
	return &buf
}

// at is the name of a file in the archive.
func (p *packer) at(s source) string {
	if p.placed && !p.into {
		return p.dest
	}
	return path.Join(p.dest, s.under, s.base)
}

// item is one file on the way into the archive.
type item struct {
	name string // in the archive
	path string // in the tree
	info fs.FileInfo
}

// walk writes what is in a directory.
func (p *packer) walk(s source) error {
	base := path.Join(p.dest, s.under)
	if p.parents {
		base = path.Join(base, s.base)
	}
	return fs.WalkDir(s.in.FS(), s.name, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(strings.TrimPrefix(name, s.name), "/")
		if s.name == "." {
			rel = name
		}
		if rel == "" && !p.placed { // dest may be made like the directory itself: the key depends on it
			return p.write(&tar.Header{Typeflag: tar.TypeDir, Name: base + "/", Mode: int64(unixMode(s.info))}, nil)
		}
		if rel == "" || rel == "." {
			return nil // the directory itself is dest
		}
		skip, err := p.ignore.MatchesOrParentMatches(rel)
		if err != nil || skip {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return p.file(s, item{name: path.Join(base, rel), path: name, info: info})
	})
}

// file writes a file of any kind.
func (p *packer) file(s source, f item) error {
	st, ok := f.info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: no file of this system", f.path)
	}
	h := &tar.Header{Name: f.name, Mode: int64(unixMode(f.info)), ModTime: f.info.ModTime()}
	if p.from != "" {
		h.Uid, h.Gid = int(st.Uid), int(st.Gid)
	}
	switch mode := f.info.Mode(); {
	case mode.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
	case mode&fs.ModeSymlink != 0:
		h.Typeflag = tar.TypeSymlink
		var err error
		if h.Linkname, err = s.in.Readlink(f.path); err != nil {
			return err
		}
	case mode.IsRegular():
		return p.regular(s, f, h)
	case mode&fs.ModeNamedPipe != 0:
		h.Typeflag = tar.TypeFifo
	case mode&fs.ModeDevice != 0:
		h.Typeflag = tar.TypeBlock
		if mode&fs.ModeCharDevice != 0 {
			h.Typeflag = tar.TypeChar
		}
		h.Devmajor, h.Devminor = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
	default:
		return nil // a socket means nothing without the process that listens
	}
	return p.write(h, nil)
}

// regular writes a regular file, or one more name of it.
func (p *packer) regular(s source, f item, h *tar.Header) error {
	st, _ := f.info.Sys().(*syscall.Stat_t)
	node := inode{st.Dev, st.Ino}
	if first, ok := p.links[node]; ok && st.Nlink > 1 {
		h.Typeflag, h.Linkname = tar.TypeLink, first
		return p.write(h, nil)
	}
	p.links[node] = h.Name
	in, err := s.in.Open(f.path)
	if err != nil {
		return err
	}
	defer in.Close()
	const capability = "security.capability" // capabilities(7), the only one that Docker copies, too
	value := make([]byte, 64)
	if n, err := unix.Fgetxattr(int(in.Fd()), capability, value); err == nil {
		h.PAXRecords = map[string]string{"SCHILY.xattr." + capability: string(value[:n])}
	}
	h.Typeflag, h.Size = tar.TypeReg, f.info.Size()
	return p.write(h, in)
}

// write writes an entry, with the owner and mode that were asked for.
func (p *packer) write(h *tar.Header, content io.Reader) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	if err := p.check(h); err != nil {
		return err
	}
	if b, ok := content.(*bytes.Reader); ok {
		h.Size = b.Size()
	}
	if p.uid >= 0 {
		h.Uid, h.Gid = p.uid, p.gid
	}
	if p.chmod != "" && h.Typeflag != tar.TypeSymlink {
		mode, err := p.mode()
		if err != nil {
			return err
		}
		h.Mode = mode
	}
	h.Format = tar.FormatPAX
	if !p.placed {
		h.ModTime = time.Time{}
	}
	err := p.w.WriteHeader(h)
	if err == nil && content != nil {
		_, err = io.CopyN(p.w, content, h.Size)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	return nil
}

// check refuses what a layer cannot say, and what would take the place of
// something else in the image.
func (p *packer) check(h *tar.Header) error {
	name := strings.TrimSuffix(h.Name, "/")
	if base := path.Base(name); strings.HasPrefix(base, ".wh.") {
		return unsupported.errorf("%s: in a layer, a name that begins with .wh. means that a file was removed; rename it", name)
	}
	if !p.placed || h.Typeflag == tar.TypeDir && name == p.dest {
		return nil
	}
	dir, err := p.below.resolve(path.Dir(name))
	if err != nil {
		return nil
	}
	there, err := p.below.Lstat(path.Join(dir, path.Base(name)))
	if err != nil {
		return nil
	}
	isLinkToDir := there.Mode()&fs.ModeSymlink != 0 && p.below.isDir(name)
	switch {
	case h.Typeflag != tar.TypeDir && there.IsDir():
		return noFile.errorf("cannot replace the directory /%s with a file", name)
	case h.Typeflag == tar.TypeDir && !there.IsDir() && !isLinkToDir:
		return noFile.errorf("cannot replace the file /%s with a directory", name)
	case h.Typeflag == tar.TypeDir && isLinkToDir:
		h.Name = strings.TrimPrefix(mustResolve(p.below, name), "/") + "/" // what it leads to stays what it is
	}
	return nil
}

// mustResolve is the name of a directory that is there, without links.
func mustResolve(t tree, name string) string {
	if real, err := t.resolve(name); err == nil {
		return real
	}
	return name
}

// unixMode is the permission bits as chmod(2) has them.
func unixMode(info fs.FileInfo) uint32 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Mode & 0o7777
	}
	return uint32(info.Mode().Perm())
}
