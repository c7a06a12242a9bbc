package unionfs

import (
	"errors"
	"io"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// look searches one layer for name; last says that it hides what the layers below have there. Only directories are
// walked through: a symbolic link would lead anywhere on the host. A node without a file is none.
func look(layer, name string) (n node, last bool) {
	n = directory("/")
	n.file = layer
	for part := range strings.SplitSeq(name, "/") {
		if !n.isDir() {
			return node{}, true
		}
		last = last || isOpaque(n.file)
		n.Path, n.file = path.Join(n.Path, part), filepath.Join(n.file, part)
		if errors.Is(unix.Lstat(n.file, &n.st), unix.ENOENT) { // any other error will come again when the file is used
			return node{}, last
		}
	}
	if isWhiteout(&n.st) {
		return node{}, true
	}
	return n, last
}

// places yields what a stack of union layers has as name, nearest first: of directories all are shown as one, of all else the first. It
// does by hand what overlay does in the kernel: a whiteout, an opaque directory or a file in the way ends the search.
func places(layers []string, name string) iter.Seq[node] {
	return func(yield func(node) bool) {
		for _, l := range layers {
			n, last := look(l, name)
			if n.file != "" && !yield(n) || last {
				return
			}
		}
	}
}

// find returns what a stack shows as name.
func find(layers []string, name string) node {
	for n := range places(layers, name) {
		return n
	}
	return node{}
}

// shown lists a directory as a stack shows it, and the whiteouts that are nearest.
func shown(layers []string, dir string) (nodes []node, err error) {
	seen := map[string]bool{}
	for d := range places(layers, strings.TrimLeft(dir+"/.", "/")) {
		entries, err := os.ReadDir(d.file)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			n := node{Change: Change{Kind: Added, Path: path.Join(dir, e.Name())}, file: filepath.Join(d.file, e.Name())}
			if seen[n.Path] {
				continue
			}
			seen[n.Path] = true
			if err := lstat(n.file, &n.st); err != nil {
				return nil, err
			}
			nodes = append(nodes, n)
		}
	}
	slices.SortFunc(nodes, func(a, b node) int { return strings.Compare(a.Path, b.Path) })
	return nodes, nil
}

// walk lists all that a stack shows in a directory and below, all of it added, in the order of a directory walk.
func walk(layers []string, dir string) ([]node, error) {
	nodes, err := shown(layers, dir)
	var all []node
	for _, n := range nodes {
		all = append(all, n)
		if n.isDir() {
			inside, err := walk(layers, n.Path)
			if err != nil {
				return nil, err
			}
			all = append(all, inside...)
		}
	}
	return all, err
}

// scan lists what is at file, and below it if that is a directory.
func scan(file string) (nodes []node, err error) {
	n := node{Change: Change{Kind: Added, Path: "/"}, file: file}
	if err = lstat(file, &n.st); err == nil && n.isDir() {
		nodes, err = walk([]string{file}, "/")
	}
	return slices.Insert(nodes, 0, n), err
}

// Tree returns all files that a mount of the layer id would show, as a tar archive. It reads them where they are, so nothing
// is mounted; those of a layer from Fork may change meanwhile. Otherwise it is like Diff.
func (s *Store) Tree(id string) (io.ReadCloser, error) {
	l, own, err := s.open(id)
	if err != nil {
		return nil, err
	}
	return stream(func(w io.Writer) error {
		defer own.Close()
		nodes, err := walk(append([]string{procPath(own)}, s.lowers(l)...), "/") // Docker's archives have no entry for the root
		if err != nil {
			return err
		}
		return pack(w, slices.DeleteFunc(nodes, func(n node) bool { return isWhiteout(&n.st) || n.isNote() }))
	}), nil
}
