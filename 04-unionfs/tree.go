package unionfs

import (
	"io"
	"maps"
	"path"
	"slices"
)

// Tree returns all files that a mount of the layer id would show, as a tar archive. It reads them where they are, so nothing
// is mounted; those of a layer from Fork may change meanwhile. Otherwise it is like Diff.
func (s *Store) Tree(id string) (io.ReadCloser, error) {
	var dirs []string
	for id != "" && (len(dirs) == 0 || s.driver.mark() != "") {
		l, err := s.layer(id)
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, s.diff(id))
		id = l.Parent
	}
	r, w := io.Pipe()
	go func() {
		nodes, err := merge(dirs)
		if err == nil {
			err = pack(w, s.path("layers"), nodes)
		}
		w.CloseWithError(err)
	}()
	return r, nil
}

// merge lists what a stack of union layers, nearest first, shows: a name is seen where it comes first, unless a
// whiteout, an opaque directory or a file in the place of a directory shuts it off.
func merge(dirs []string) ([]node, error) {
	seen, shut := map[string]node{}, map[string]bool{}
	for _, dir := range dirs {
		nodes, err := scan(dir)
		if err != nil {
			return nil, err
		}
		var ends []string // they shut off what is below, and not their own
		for _, n := range nodes {
			if within(shut, n.Path) || isNote(n) {
				continue
			}
			if !n.isDir() || isOpaque(n.file) {
				ends = append(ends, n.Path)
			}
			if _, above := seen[n.Path]; !above && !isWhiteout(&n.st) {
				seen[n.Path] = n
			}
		}
		for _, end := range ends {
			shut[end] = true
		}
	}
	delete(seen, "/") // Docker's archives have no entry for the root
	return slices.SortedFunc(maps.Values(seen), func(a, b node) int { return byWalk(a.Path, b.Path) }), nil
}

// isNote reports whether a file is fuse-overlayfs's way to say that its directory is opaque.
func isNote(n node) bool {
	base := path.Base(n.Path)
	return base == whiteoutPrefix+opaqueName || base == opaqueName && isWhiteout(&n.st)
}

// within reports whether a path or a directory above it is in the set.
func within(set map[string]bool, name string) bool {
	for ; name != "/"; name = path.Dir(name) {
		if set[name] {
			return true
		}
	}
	return false
}
