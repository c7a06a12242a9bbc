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
	var layers []layer
	for id != "" && (len(layers) == 0 || s.driver.union()) {
		l, err := s.layer(id)
		if err != nil {
			return nil, err
		}
		layers, id = append(layers, l), l.Parent
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(s.packStack(w, layers)) }()
	return r, nil
}

// packStack writes an archive of what a stack of layers, nearest first, shows.
func (s *Store) packStack(w io.Writer, layers []layer) error {
	lists := make([][]node, len(layers))
	for i, l := range layers {
		f, err := s.tree(l)
		if err != nil {
			return err
		}
		defer f.Close()
		if lists[i], err = scan(f); err != nil {
			return err
		}
	}
	return pack(w, merge(lists))
}

// merge lists what layers show together: a name is seen where it comes first, unless a
// whiteout, an opaque directory or a file in the place of a directory shuts it off.
func merge(layers [][]node) []node {
	seen, shut := map[string]node{}, map[string]bool{}
	for _, nodes := range layers {
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
	return slices.SortedFunc(maps.Values(seen), func(a, b node) int { return byWalk(a.Path, b.Path) })
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
