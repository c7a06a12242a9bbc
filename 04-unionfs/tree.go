package unionfs

import (
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Tree returns all files that a mount of the layer id would show, as a tar archive. It reads them where they are, so nothing
// is mounted; those of a layer from Fork may change meanwhile. Otherwise it is like Diff.
func (s *Store) Tree(id string) (io.ReadCloser, error) {
	l, own, err := s.open(id)
	if err != nil {
		return nil, err
	}
	return stream(func(w io.Writer) error {
		defer own.Close()
		nodes, err := merge(append([]string{procPath(own)}, s.lowers(l)...), "/") // Docker's archives have no entry for the root
		if err != nil {
			return err
		}
		return pack(w, nodes)
	}), nil
}

// merge lists what layers show below a directory, as a walk meets it.
func merge(layers []string, dir string) ([]node, error) {
	var all []node
	nodes, err := shown(layers, dir)
	for _, n := range nodes {
		all = append(all, n)
		if n.isDir() && err == nil {
			nodes, err = merge(layers, n.Path)
			all = append(all, nodes...)
		}
	}
	return all, err
}

// shown lists a directory as a stack of layers, nearest first, shows it.
func shown(layers []string, dir string) (nodes []node, err error) {
	seen := map[string]bool{path.Join(dir, whiteoutPrefix+opaqueName): true} // fuse-overlayfs's note is no file
	for d := range places(layers, strings.TrimLeft(dir+"/.", "/")) {
		entries, err := os.ReadDir(d)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			n := node{Change: Change{Added, path.Join(dir, e.Name())}, file: filepath.Join(d, e.Name())}
			if seen[n.Path] {
				continue
			}
			seen[n.Path] = true
			if err := lstat(n.file, &n.st); err != nil {
				return nil, err
			}
			if !isWhiteout(&n.st) {
				nodes = append(nodes, n)
			}
		}
	}
	slices.SortFunc(nodes, func(a, b node) int { return strings.Compare(a.Path, b.Path) })
	return nodes, nil
}
