package unionfs

import (
	"io"
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

// merge lists what layers, nearest first, show together.
func merge(layers [][]node) (all []node) {
	var above []string
	for _, nodes := range layers {
		for _, n := range nodes[1:] { // Docker's archives have no entry for the root
			if !isWhiteout(&n.st) && !isNote(n) && !hidden(above, n.Path[1:]) {
				all = append(all, n)
			}
		}
		above = append(above, procPath(nodes[0].root))
	}
	slices.SortFunc(all, func(a, b node) int { return byWalk(a.Path, b.Path) })
	return all
}

// hidden reports whether layers do not let through what is below them as name, be it that they have it themselves.
func hidden(layers []string, name string) bool {
	return slices.ContainsFunc(layers, func(l string) bool {
		file, last := look(l, name)
		return file != "" || last
	})
}

// isNote reports whether a file is fuse-overlayfs's way to say that its directory is opaque.
func isNote(n node) bool {
	base := path.Base(n.Path)
	return base == whiteoutPrefix+opaqueName || base == opaqueName && isWhiteout(&n.st)
}
