package unionfs

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"maps"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Kind says what a layer did to a file. The numbers are those of Docker's API.
type Kind uint8

// What a layer can do to a file.
const (
	Modified Kind = iota
	Added
	Deleted
)

// String returns the letter that docker diff shows.
func (k Kind) String() string { return string("CAD"[k%3]) }

// Change is one thing that a layer did to what is below.
type Change struct {
	Kind Kind
	Path string // absolute in the layer's root: "/etc/hosts"

	Mode, UID, GID uint32 // of the file now, as in stat(2); 0 of one that was deleted
	Size           int64  // in bytes
}

// Changes returns what the layer id changes, in the order of a directory walk. A directory counts as modified when something in it changed.
// The root itself is never listed.
func (s *Store) Changes(id string) (all []Change, err error) {
	err = s.compare(id, func(c comparison) error {
		for _, n := range c.nodes {
			switch {
			case n.Path == "/":
			case n.opaque():
				gone, err := c.hidden(path.Dir(n.Path))
				if err != nil {
					return err
				}
				all = append(all, gone...)
			case n.Kind == Deleted:
				all = append(all, n.Change)
			default:
				n.Mode, n.UID, n.GID, n.Size = n.st.Mode, n.st.Uid, n.st.Gid, n.st.Size
				all = append(all, n.Change)
			}
		}
		return nil
	})
	slices.SortStableFunc(all, func(a, b Change) int { return byWalk(a.Path, b.Path) })
	return all, err
}

// Usage returns the bytes in the regular files that the layer id adds or changes. A file with many names counts once.
func (s *Store) Usage(id string) (size int64, err error) {
	if l, err := s.layer(id); err != nil || l.Link != "" { // its files do not change, and were counted
		return l.Size, err
	}
	seen := map[uint64]bool{}
	err = s.compare(id, func(c comparison) error {
		for _, n := range c.nodes {
			if n.Kind != Deleted && n.st.Mode&unix.S_IFMT == unix.S_IFREG && !seen[n.st.Ino] {
				seen[n.st.Ino] = true
				size += n.st.Size
			}
		}
		return nil
	})
	return size, err
}

// node is a change with the file that shows it. An opaque directory is followed by a node that deletes ".wh..opq"
// in it, which is just how an archive says it.
type node struct {
	Change
	file string // ends in Path; what comes before is the root of a tree
	st   unix.Stat_t
	mask uint32 // which bits of the mode an archive gets, beside permissions
}

// directory is one about which nobody said anything.
func directory(name string) node {
	return node{Change: Change{Path: name}, st: unix.Stat_t{Mode: unix.S_IFDIR | 0o755}}
}

func (n node) isDir() bool  { return n.st.Mode&unix.S_IFMT == unix.S_IFDIR }
func (n node) opaque() bool { return n.Kind == Deleted && path.Base(n.Path) == opaqueName }

// isNote reports whether a file is what fuse-overlayfs makes beside the whiteout .wh..opq.
func (n node) isNote() bool { return path.Base(n.Path) == whiteoutPrefix+opaqueName }

// comparison is of a layer with what is below it.
type comparison struct {
	layer
	tree  string   // where its files are
	below []string // the layers below, of a union driver
	nodes []node   // the changes, sorted as a walk meets them; the root only if it looks different itself
}

// compare finds the changes of the layer id, and calls see while the files are there.
func (s *Store) compare(id string, see func(comparison) error) error {
	l, own, err := s.open(id)
	if err != nil {
		return err
	}
	defer own.Close()
	c := comparison{layer: l, tree: procPath(own), below: s.lowers(l)}
	root := directory("/")
	var was []node
	if l.Parent != "" {
		_, parent, err := s.open(l.Parent)
		if err != nil {
			return err
		}
		defer parent.Close()
		root.file = procPath(parent) + "/"
		if err = lstat(root.file, &root.st); err == nil && !s.driver.union {
			was, err = scan(root.file)
		}
		if err != nil {
			return err
		}
	}
	now, err := scan(c.tree + "/")
	if err != nil {
		return err
	}
	if s.driver.union {
		c.nodes = unionNodes(now, c.below)
	} else {
		c.nodes = treeNodes(was, now)
	}
	if len(c.nodes) > 0 && same(root, c.nodes[0]) {
		c.nodes = c.nodes[1:]
	}
	return see(c)
}

// unionNodes reads the changes off a union driver's diff: what is there was added or modified, or says "removed". fuse-overlayfs
// says "opaque" with two files in AUFS's manner, and the whiteout .wh..opq is one of them.
func unionNodes(diff []node, lowers []string) []node {
	var nodes []node
	for _, n := range diff {
		below := n.Path == "/" || find(lowers, n.Path[1:]).file != ""
		marked := path.Base(n.Path) == opaqueName && !isOpaque(path.Dir(n.file))
		switch {
		case n.isNote(), isWhiteout(&n.st) && !below && !marked:
			continue
		case isWhiteout(&n.st):
			n.Kind = Deleted
		case below:
			n.Kind = Modified
		}
		nodes = append(nodes, n)
		if n.isDir() && isOpaque(n.file) {
			n.Change = Change{Kind: Deleted, Path: path.Join(n.Path, opaqueName)}
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// treeNodes compares two finished trees.
func treeNodes(was, now []node) []node {
	old, cur, changed := map[string]node{}, map[string]node{}, map[string]node{}
	for _, n := range was {
		old[n.Path] = n
	}
	for _, n := range now {
		cur[n.Path] = n
	}
	var add func(n node)
	add = func(n node) {
		changed[n.Path] = n
		dir := cur[path.Dir(n.Path)]
		if _, listed := changed[dir.Path]; !listed {
			dir.Kind = Modified
			add(dir)
		}
	}
	for _, n := range now {
		o, ok := old[n.Path]
		if ok {
			n.Kind = Modified
		}
		if !ok || !same(o, n) {
			add(n)
		}
	}
	for _, n := range was {
		if _, still := cur[n.Path]; !still && cur[path.Dir(n.Path)].isDir() {
			add(node{Change: Change{Kind: Deleted, Path: n.Path}})
		}
	}
	return slices.SortedFunc(maps.Values(changed), func(a, b node) int { return byWalk(a.Path, b.Path) })
}

// byWalk puts "/a/b" before "/a.b", as a directory walk does.
func byWalk(a, b string) int { return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/")) }

// same reports whether two files would make the same entry in an archive, with the same content. One that was untouched since a
// snapshot has its inode and the time of its last change. The time of a directory only tells what happened in it.
func same(was, is node) bool {
	a, aerr := header(was)
	b, berr := header(is)
	if aerr != nil || berr != nil || was.st.Nlink < is.st.Nlink && !is.isDir() {
		return false
	}
	if is.isDir() {
		a.ModTime = b.ModTime
	}
	unchanged := was.st.Ino == is.st.Ino && was.st.Ctim == is.st.Ctim
	return reflect.DeepEqual(a, b) && (unchanged || b.Size == 0 || bytes.Equal(sum(was.file), sum(is.file)))
}

// sum returns a digest of a file's content.
func sum(file string) []byte {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	h := sha256.New()
	_, _ = io.Copy(h, f)
	return h.Sum(nil)
}

// hidden lists what an opaque directory hides and does not replace, itself or in directories of the same name.
func (c comparison) hidden(dir string) (gone []Change, err error) {
	nodes, err := shown(c.below, dir)
	for _, n := range nodes {
		own := node{file: c.tree + n.Path}
		if isWhiteout(&n.st) {
			continue
		}
		if lstat(own.file, &own.st) != nil {
			gone = append(gone, Change{Kind: Deleted, Path: n.Path})
		} else if own.isDir() && !isOpaque(own.file) {
			deeper, derr := c.hidden(n.Path)
			gone, err = append(gone, deeper...), errors.Join(err, derr)
		}
	}
	return gone, err
}

func lstat(file string, st *unix.Stat_t) error {
	if err := unix.Lstat(file, st); err != nil {
		return &os.PathError{Op: "lstat", Path: file, Err: err}
	}
	return nil
}
