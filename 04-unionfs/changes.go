package unionfs

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
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
}

// Changes returns what the layer id changes, in the order of a directory walk. A directory counts as modified when something in it changed.
// The root itself is never listed.
func (s *Store) Changes(id string) (all []Change, err error) {
	err = s.compare(id, func(c comparison, nodes []node) error {
		for _, n := range nodes {
			switch {
			case n.Path == "/":
			case n.opaque():
				all = append(all, c.hidden(path.Dir(n.Path))...)
			default:
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
	err = s.compare(id, func(_ comparison, nodes []node) error {
		for _, n := range nodes {
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
	file string
	root *os.File // of the tree that the file is in
	st   unix.Stat_t
	mask uint32 // which bits of the mode an archive gets, beside permissions
}

func (n node) isDir() bool  { return n.st.Mode&unix.S_IFMT == unix.S_IFDIR }
func (n node) opaque() bool { return n.Kind == Deleted && path.Base(n.Path) == opaqueName }

// comparison is of a layer with what is below it.
type comparison struct {
	tree   *os.File // the layer's files
	root   node     // of what is below
	lowers []string
}

// compare finds the changes of the layer id, sorted as a walk meets them, the root first, and calls see while the files are there.
func (s *Store) compare(id string, see func(comparison, []node) error) error {
	l, err := s.layer(id)
	if err != nil {
		return err
	}
	c := comparison{root: node{st: unix.Stat_t{Mode: unix.S_IFDIR | 0o755}}, lowers: s.lowers(l)}
	if c.tree, err = s.tree(l); err != nil {
		return err
	}
	defer c.tree.Close()
	var was []node
	if l.Parent != "" {
		p, err := s.layer(l.Parent)
		if err != nil {
			return err
		}
		below, err := s.tree(p)
		if err != nil {
			return err
		}
		defer below.Close()
		c.root.file = procPath(below) + "/."
		if err = lstat(c.root.file, &c.root.st); err == nil && !s.driver.union() {
			was, err = scan(below)
		}
		if err != nil {
			return err
		}
	}
	nodes, err := scan(c.tree)
	if err == nil && s.driver.union() {
		nodes = unionNodes(nodes, c.lowers)
	} else if err == nil {
		nodes = treeNodes(was, nodes)
	}
	return errors.Join(err, see(c, nodes))
}

// scan lists a directory, all of it added.
func scan(root *os.File) (nodes []node, err error) {
	dir := procPath(root)
	err = filepath.WalkDir(dir+"/.", func(file string, _ fs.DirEntry, err error) error {
		n := node{Change: Change{Added, path.Clean("/" + file[len(dir):])}, file: file, root: root}
		if err == nil {
			err = lstat(file, &n.st)
		}
		nodes = append(nodes, n)
		return err
	})
	return nodes, err
}

// unionNodes reads the changes off a union driver's diff: what is there was added or modified, or says "removed". fuse-overlayfs
// says "opaque" with two files in AUFS's manner, and the whiteout .wh..opq is one of them.
func unionNodes(diff []node, lowers []string) []node {
	var nodes []node
	for _, n := range diff {
		base, below := path.Base(n.Path), n.Path == "/" || find(lowers, n.Path[1:]) != ""
		marked := base == opaqueName && !isOpaque(path.Dir(n.file))
		switch {
		case base == whiteoutPrefix+opaqueName, isWhiteout(&n.st) && !below && !marked:
			continue
		case isWhiteout(&n.st):
			n.Kind = Deleted
		case below:
			n.Kind = Modified
		}
		nodes = append(nodes, n)
		if n.isDir() && isOpaque(n.file) {
			n.Change = Change{Deleted, path.Join(n.Path, opaqueName)}
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
		if o, ok := old[n.Path]; ok && same(o, n) {
			continue
		} else if ok || n.Path == "/" {
			n.Kind = Modified
		}
		changed[n.Path] = n
	}
	for _, n := range was {
		if _, still := cur[n.Path]; !still && cur[path.Dir(n.Path)].isDir() {
			changed[n.Path] = node{Change: Change{Deleted, n.Path}}
		}
	}
	for name := range maps.Clone(changed) {
		for dir := path.Dir(name); dir != name; name, dir = dir, path.Dir(dir) {
			if _, ok := changed[dir]; !ok {
				n := cur[dir]
				n.Kind = Modified
				changed[dir] = n
			}
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
func (c comparison) hidden(dir string) (gone []Change) {
	names := map[string]bool{}
	for _, l := range c.lowers {
		entries, _ := os.ReadDir(filepath.Join(l, dir))
		for _, e := range entries {
			names[path.Join(dir, e.Name())] = true
		}
	}
	for name := range names {
		var st unix.Stat_t
		file := filepath.Join(procPath(c.tree), name)
		switch {
		case find(c.lowers, name[1:]) == "":
		case lstat(file, &st) != nil:
			gone = append(gone, Change{Deleted, name})
		case st.Mode&unix.S_IFMT == unix.S_IFDIR && !isOpaque(file):
			gone = append(gone, c.hidden(name)...)
		}
	}
	return gone
}

func lstat(file string, st *unix.Stat_t) error {
	if err := unix.Lstat(file, st); err != nil {
		return &os.PathError{Op: "lstat", Path: file, Err: err}
	}
	return nil
}
