package engine

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	unionfs "cutaway/04-unionfs"

	"github.com/moby/moby/api/types/container"
)

// alwaysMounted is what every container has mounted, and so needs a place for.
var alwaysMounted = []string{"dev", "proc", "sys", "etc/hostname", "etc/hosts", "etc/resolv.conf"}

// stubs are the places that a start makes in an image that lacks them, to mount
// something there. They belong to the container, not to what its command did:
// an image of it must not have them.
type stubs struct {
	made  map[string]bool   // by name in the archive, without slashes at the ends
	grown map[string]*owner // directories that were there, and only got them
}

// owner is what tells whether somebody meant to change a directory.
type owner struct{ mode, uid, gid int64 }

// stubsIn finds out which places a start will make in an image; more are those
// besides the ones of all containers.
func (e *Engine) stubsIn(image string, more ...string) (s stubs, err error) {
	view, err := e.View(image)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, view.Close()) }()
	root, err := os.OpenRoot(view.Dir)
	if err != nil {
		return s, err
	}
	defer root.Close()
	s = stubs{made: map[string]bool{}, grown: map[string]*owner{}}
	for _, place := range slices.Concat(alwaysMounted, more) {
		dir := "."
		for part := range strings.SplitSeq(strings.Trim(place, "/"), "/") {
			name := path.Join(dir, part)
			if _, err := root.Lstat(name); err != nil {
				s.made[name] = true
				if info, err := root.Lstat(dir); err == nil && dir != "." {
					st, _ := info.Sys().(*syscall.Stat_t)
					s.grown[dir] = &owner{int64(st.Mode & 0o7777), int64(st.Uid), int64(st.Gid)}
				}
			}
			dir = name
		}
	}
	return s, nil
}

// shown leaves out what is a change only for the stubs.
func (s stubs) shown(all []unionfs.Change) []container.FilesystemChange {
	list := []container.FilesystemChange{}
	for _, c := range slices.Backward(all) { // what is in a directory comes before it
		holds := len(list) > 0 && strings.HasPrefix(list[len(list)-1].Path, c.Path+"/")
		if name := c.Path[1:]; holds || !s.made[name] && s.grown[name] == nil {
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
	if err != nil || len(places.made) == 0 {
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
		if s.holds(h) {
			if h.Typeflag == tar.TypeDir {
				held = append(held, h)
			}
			continue
		}
		for _, entry := range append(held, h) {
			if err := out.WriteHeader(entry); err != nil {
				return err
			}
		}
		held = nil
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
	}
}

// holds tells whether an entry shows nothing but a stub.
func (s stubs) holds(h *tar.Header) bool {
	name := strings.Trim(h.Name, "/")
	if s.made[name] {
		return h.Size == 0 && (h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeReg)
	}
	was := s.grown[name]
	return was != nil && h.Typeflag == tar.TypeDir && *was == owner{h.Mode, int64(h.Uid), int64(h.Gid)}
}
