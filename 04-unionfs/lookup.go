package unionfs

import (
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// places yields the files that a stack of union layers has as name, nearest first: directories are merged, of all else the first is shown. It
// does by hand what overlay does in the kernel: a whiteout, an opaque directory or a file in the way ends the search.
func places(layers []string, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, l := range layers {
			file, last := look(l, name)
			if file != "" && !yield(file) || last {
				return
			}
		}
	}
}

// find returns the path of the file that a stack shows as name, or "".
func find(layers []string, name string) string {
	for file := range places(layers, name) {
		return file
	}
	return ""
}

// look searches one layer; last says that it hides what the layers below have as name. Only directories are
// walked through: a symbolic link would lead anywhere on the host.
func look(diff, name string) (file string, last bool) {
	file = diff
	st := unix.Stat_t{Mode: unix.S_IFDIR}
	for part := range strings.SplitSeq(name, "/") {
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return "", true
		}
		last = last || isOpaque(file)
		file = filepath.Join(file, part)
		if unix.Lstat(file, &st) != nil {
			return "", last
		}
	}
	if isWhiteout(&st) {
		return "", true
	}
	return file, last
}

// lookup returns what the layer that is being made, and those below it, show as name.
func (u *unpacker) lookup(name string) (n node, ok bool) {
	n.Path = path.Join("/", name)
	n.file = find(append([]string{procPath(u.root)}, u.lowers...), name)
	return n, n.file != "" && unix.Lstat(n.file, &n.st) == nil
}

// resolve follows the symbolic links in name, a directory, as chroot(2) into the merged tree would: "lib/x" is "usr/lib/x" where a
// layer below has lib -> usr/lib. The kernel cannot do it, since that link is not in this layer.
func (u *unpacker) resolve(name string) (string, error) {
	done, rest := "", strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		next := path.Join("/", done, rest[0])[1:]
		rest = rest[1:]
		n, ok := u.lookup(next)
		if next == "" || !ok || n.st.Mode&unix.S_IFMT != unix.S_IFLNK {
			done = next
			continue
		}
		target, err := os.Readlink(n.file)
		if err != nil {
			return "", err
		}
		if links++; links > 40 { // the kernel's own limit: path_resolution(7)
			return "", &os.PathError{Op: "resolve", Path: name, Err: unix.ELOOP}
		}
		if path.IsAbs(target) {
			done = ""
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return path.Clean(done), nil
}
