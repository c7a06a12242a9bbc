package build

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/patternmatcher"
)

// copying is COPY or ADD.
type copying struct {
	instructions.SourcesAndDest

	name         string // "COPY" or "ADD"
	from         string // another stage or image; "" = the context
	chown, chmod string
	exclude      []string
	parents      bool   // COPY --parents: keep the directories of the sources
	magic        bool   // ADD: fetch URLs, unpack archives
	unpack       *bool  // ADD --unpack
	checksum     string // ADD --checksum
}

func adding(c *instructions.AddCommand) copying {
	return copying{
		SourcesAndDest: c.SourcesAndDest, name: "ADD", chown: c.Chown, chmod: c.Chmod, exclude: c.ExcludePatterns,
		magic: true, unpack: c.Unpack, checksum: c.Checksum,
	}
}

// step is the instruction without its files.
func (c copying) step() string {
	words := []string{c.name}
	for _, flag := range []struct{ name, value string }{
		{"from", c.from}, {"chown", c.chown}, {"chmod", c.chmod}, {"checksum", c.checksum}, {"exclude", strings.Join(c.exclude, ",")},
	} {
		if flag.value != "" {
			words = append(words, "--"+flag.name+"="+flag.value)
		}
	}
	if c.parents {
		words = append(words, "--parents")
	}
	if c.unpack != nil {
		words = append(words, fmt.Sprintf("--unpack=%t", *c.unpack))
	}
	words = append(words, c.SourcePaths...)
	for _, content := range c.SourceContents {
		words = append(words, "<<"+content.Path)
	}
	return strings.Join(append(words, c.DestPath), " ")
}

// copy is COPY and ADD: an archive of the sources on top of the image.
func (s *stage) copy(ctx context.Context, c copying) (err error) {
	origin, err := s.origin(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, origin.close()) }()
	p := &packer{copying: c, tree: origin, uid: -1, gid: -1}
	if p.ignore, err = patternmatcher.New(c.exclude); err != nil {
		return unreadable.errorf("%s --exclude: %w", c.name, err)
	}
	if p.sources, err = s.collect(ctx, p); err != nil {
		return err
	}
	sum := sha256.New()
	if err := p.pack(ctx, tar.NewWriter(sum)); err != nil { // names from the sources only, and no times
		return err
	}
	key := Key{Step: c.step(), Files: hex.EncodeToString(sum.Sum(nil))}
	return s.make(ctx, key, func(ctx context.Context, d Draft) (img Image, err error) {
		below, err := s.see(s.image.ID)
		if err != nil {
			return Image{}, err
		}
		defer func() { err = errors.Join(err, below.close()) }()
		p.below = below
		if err := s.place(p); err != nil {
			return Image{}, err
		}
		r, w := io.Pipe()
		packed := make(chan struct{})
		go func() {
			defer close(packed)
			w.CloseWithError(p.pack(ctx, tar.NewWriter(w)))
		}()
		d.Files = r
		img, err = s.Store(ctx, d)
		_ = r.Close()
		<-packed // nobody reads from the sources any more
		return img, err
	})
}

// collect finds the sources.
func (s *stage) collect(ctx context.Context, p *packer) (list []source, err error) {
	for _, content := range p.SourceContents {
		list = append(list, source{base: path.Base(content.Path), content: []byte(content.Data)})
	}
	for _, name := range p.SourcePaths {
		if p.magic && isURL(name) {
			src, err := s.fetch(ctx, name, p.copying)
			if err != nil {
				return nil, err
			}
			list = append(list, src)
			continue
		}
		if s.Context == "" && p.from == "" {
			return nil, badContext.errorf("%s %s: there is no context: the Dockerfile came alone", p.name, name)
		}
		found, err := p.find(name)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	if p.checksum != "" && (len(p.SourcePaths) != 1 || !isURL(p.SourcePaths[0])) {
		return nil, unreadable.errorf("ADD --checksum is for one URL")
	}
	if len(list) == 0 {
		return nil, p.absent(strings.Join(p.SourcePaths, " "), fs.ErrNotExist)
	}
	dest := p.DestPath
	if len(list) > 1 && !strings.HasSuffix(dest, "/") && dest != "." && dest != ".." {
		return nil, unreadable.errorf("%s: with more than one source, the destination must be a directory and end with a /: %q", p.name, dest)
	}
	return list, nil
}

// find finds the files in the tree that one argument of COPY names.
func (p *packer) find(name string) (list []source, err error) {
	if outside := path.Clean(strings.TrimLeft(name, "/")); outside == ".." || strings.HasPrefix(outside, "../") {
		return nil, noFile.errorf("%s %s: forbidden path outside the build context; only what is below the context's directory is sent to the engine", p.name, name)
	}
	names, err := p.glob(p.pivot(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a wildcard may stand for nothing, if another source is there
	}
	if err != nil {
		return nil, p.absent(name, err)
	}
	for _, n := range names {
		real, info, err := p.stat(n)
		if err != nil {
			return nil, p.absent(name, err)
		}
		// As its documentation says, --exclude is for files that a wildcard has found, too.
		skip, err := p.ignore.MatchesOrParentMatches(path.Base(n))
		if err != nil {
			return nil, fmt.Errorf("%s --exclude: %w", p.name, err)
		}
		if skip && !info.IsDir() && n != path.Clean(strings.TrimLeft(name, "/")) {
			continue
		}
		src := source{in: p.tree, base: path.Base(n), name: real, info: info}
		if p.parents {
			src.under = p.kept(name, n)
		}
		if p.magic && info.Mode().IsRegular() && (p.unpack == nil || *p.unpack) {
			src.archive = isArchive(p.tree, real)
		}
		list = append(list, src)
	}
	return list, nil
}

// pivot drops the "/./" that says from where on --parents keeps directories.
func (p *packer) pivot(name string) string {
	if p.parents {
		return strings.Replace(name, "/./", "/", 1)
	}
	return name
}

// kept is the directory of a source that --parents keeps.
func (p *packer) kept(asked, found string) string {
	dir := path.Dir(found)
	if before, _, ok := strings.Cut(asked, "/./"); ok {
		dir = strings.TrimPrefix(strings.TrimPrefix(dir, path.Clean(strings.TrimLeft(before, "/"))), "/")
	}
	return dir
}

// absent says that a file is not there, in the words for who wrote the Dockerfile.
func (p *packer) absent(name string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s %s: %w", p.name, name, err)
	}
	if p.from != "" {
		return noFile.errorf("%s failed: %s: no such file in %s", p.name, name, p.from)
	}
	return noFile.errorf("%s failed: %s: file not found in build context or excluded by .dockerignore", p.name, name)
}

// place finds out where in the image the sources go, and to whom.
func (s *stage) place(p *packer) error {
	if err := p.own(); err != nil {
		return err
	}
	name := path.Base(p.DestPath)
	asked := strings.HasSuffix(p.DestPath, "/") || name == "." || name == ".."
	p.dest = strings.TrimPrefix(s.absolute(p.DestPath), "/")
	p.exists = p.below.isDir(p.dest)
	p.into = asked || p.exists || p.parents
	_, _, err := p.below.stat(p.dest)
	if needs := asked || p.sources[0].isDir() || p.sources[0].archive; err == nil && !p.exists && needs {
		return noFile.errorf("%s: %s is a file in the image, and cannot be the directory that it would have to be", p.name, p.DestPath)
	}
	p.placed = true
	return nil
}

// workdir is WORKDIR: a setting, and a directory if it is not there.
func (s *stage) workdir(ctx context.Context, c *instructions.WorkdirCommand) error {
	if c.Path == "" {
		return unreadable.errorf("WORKDIR: an empty name is no directory")
	}
	at := s.absolute(c.Path)
	s.config.Config.WorkingDir = at
	return s.make(ctx, Key{Step: "WORKDIR " + at}, func(ctx context.Context, d Draft) (img Image, err error) {
		below, err := s.see(s.image.ID)
		if err != nil {
			return Image{}, err
		}
		defer func() { err = errors.Join(err, below.close()) }()
		_, info, err := below.stat(at)
		switch {
		case err == nil && !info.IsDir():
			return Image{}, noFile.errorf("WORKDIR %s: this is a file in the image", at)
		case err != nil:
			d.Files = directories(below, strings.TrimPrefix(at, "/"))
		}
		return s.Store(ctx, d)
	})
}
