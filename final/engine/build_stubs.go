package engine

import (
	"archive/tar"
	"errors"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	unionfs "cutaway/04-unionfs"

	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"
)

// stubs are the places that a start makes in an image that lacks them, to mount
// something there, and the directories that get them, by path, each as it looks
// then. They belong to the container, not to what its command did: an image of
// it must not have them.
type stubs map[string]look

// look is what tells whether somebody meant to change a file.
type look struct{ mode, uid, gid uint32 }

// What rootfs.Mount makes.
var (
	newDir  = look{mode: unix.S_IFDIR | 0o755}
	newFile = look{mode: unix.S_IFREG | 0o644}
)

// alwaysMounted is what every container has mounted, and so needs a place for.
var alwaysMounted = stubs{
	"/dev": newDir, "/proc": newDir, "/sys": newDir,
	"/etc/hostname": newFile, "/etc/hosts": newFile, "/etc/resolv.conf": newFile,
}

// stubsIn finds out which places a start will make in an image; more are those
// besides the ones of all containers, all directories.
func (e *Engine) stubsIn(image string, more ...string) (s stubs, err error) {
	view, err := e.view(image)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, view.Close()) }()
	places := maps.Clone(alwaysMounted)
	for _, place := range more {
		places[place] = newDir
	}
	s = stubs{}
	for place, is := range places {
		err = errors.Join(err, s.find(view.Dir, place, is))
	}
	return s, err
}

// maxLinks is how many links the way to a place may have (path_resolution(7)).
const maxLinks = 40

// find adds what a mount at a place makes in root, which nobody changes: where
// links lead, as rootfs.Mount does it.
func (s stubs) find(root, place string, is look) error {
	dir, links := "/", 0
	for rest := strings.Split(place, "/"); len(rest) > 0; {
		name := path.Join(dir, rest[0]) // no link is left in dir, so ".." is what it seems to be
		rest = rest[1:]
		var st unix.Stat_t
		switch err := unix.Lstat(root+name, &st); {
		case errors.Is(err, unix.ENOENT):
			if dir != "/" && unix.Lstat(root+dir, &st) == nil {
				s[dir] = look{st.Mode, st.Uid, st.Gid}
			}
			if s[name] = newDir; len(rest) == 0 {
				s[name] = is
			}
		case errors.Is(err, unix.ENOTDIR):
			return nil // and no start can make anything
		case err != nil:
			return &os.PathError{Op: "lstat", Path: root + name, Err: err}
		case st.Mode&unix.S_IFMT == unix.S_IFLNK:
			target, err := os.Readlink(root + name)
			if links++; err != nil || links > maxLinks {
				return err
			}
			if rest = append(strings.Split(target, "/"), rest...); path.IsAbs(target) {
				dir = "/"
			}
			continue
		}
		dir = name
	}
	return nil
}

// has tells whether a change shows nothing but a stub.
func (s stubs) has(c unionfs.Change) bool {
	was, ok := s[c.Path]
	return ok && was == look{c.Mode, c.UID, c.GID} && (c.Size == 0 || was.mode&unix.S_IFMT == unix.S_IFDIR)
}

// shown leaves out what is a change only for the stubs.
func (s stubs) shown(all []unionfs.Change) []container.FilesystemChange {
	list := []container.FilesystemChange{}
	for _, c := range slices.Backward(all) { // what is in a directory comes before it
		holds := len(list) > 0 && strings.HasPrefix(list[len(list)-1].Path, c.Path+"/")
		if holds || !s.has(c) {
			list = append(list, container.FilesystemChange{Kind: container.ChangeType(c.Kind), Path: c.Path})
		}
	}
	slices.Reverse(list)
	return list
}

// changes is the archive of a container's layer, without the stubs, unless
// something was put into them.
func (e *Engine) changes(id string, places stubs) (io.ReadCloser, error) {
	layer, err := e.layers.Diff(id)
	if err != nil || len(places) == 0 {
		return layer, err
	}
	r, w := io.Pipe()
	go func() {
		w.CloseWithError(errors.Join(places.copy(tar.NewWriter(w), tar.NewReader(layer)), layer.Close()))
	}()
	return r, nil
}

func (s stubs) copy(out *tar.Writer, in *tar.Reader) error {
	var held []*tar.Header // directories that count only if something follows in them
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return out.Close()
		}
		if err != nil {
			return err
		}
		held = slices.DeleteFunc(held, func(dir *tar.Header) bool { return !strings.HasPrefix(h.Name, dir.Name) })
		if s.has(entry(h)) {
			if h.Typeflag == tar.TypeDir {
				held = append(held, h)
			}
			continue
		}
		for _, h := range append(held, h) {
			if err := out.WriteHeader(h); err != nil {
				return err
			}
		}
		held = nil
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
	}
}

// entry is what an entry of a layer's archive says of a file; its kind aside.
func entry(h *tar.Header) unionfs.Change {
	c := unionfs.Change{Path: "/" + strings.Trim(h.Name, "/"), Mode: uint32(h.Mode) & 0o7777, UID: uint32(h.Uid), GID: uint32(h.Gid), Size: h.Size}
	switch h.Typeflag {
	case tar.TypeDir:
		c.Mode |= unix.S_IFDIR
	case tar.TypeReg:
		c.Mode |= unix.S_IFREG
	}
	return c
}
