package unionfs

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Diff returns the layer id as a tar archive that Apply, and every other tool that knows OCI layers, turns into the same files.
// Errors on the way come from Read; Close may come early. A layer from Fork should not be written to meanwhile.
//
// Entries have Docker's form and order, so the archive of a layer that was applied from a Docker or containerd archive
// is the same to the last bit. Sockets are left out; access times are not recorded; a sparse file is written in full.
func (s *Store) Diff(id string) (io.ReadCloser, error) {
	l, err := s.layer(id)
	if err != nil {
		return nil, err
	}
	below := node{Change: Change{Path: "/"}, st: unix.Stat_t{Mode: unix.S_IFDIR | 0o755}}
	if l.Parent != "" {
		below.file = s.diff(l.Parent)
		if err := lstat(below.file, &below.st); err != nil {
			return nil, err
		}
	}
	r, w := io.Pipe()
	go func() {
		nodes, err := s.nodes(l)
		if err == nil && len(nodes) > 0 && same(below, nodes[0]) {
			nodes = nodes[1:] // Docker's archives have no entry for the root
		}
		w.CloseWithError(errors.Join(err, pack(w, s.diff(id), nodes)))
	}()
	return r, nil
}

// packTree writes all of a directory.
func packTree(w io.Writer, dir string) error {
	nodes, err := scan(dir)
	if err != nil {
		return err
	}
	return pack(w, dir, nodes)
}

// pack writes an archive of nodes whose files are below a directory.
func pack(w io.Writer, dir string, nodes []node) error {
	root, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	tw := tar.NewWriter(w)
	first := map[uint64]string{} // the name under which a file with several was written
	for _, n := range nodes {
		h, err := header(n)
		if err != nil {
			return err
		}
		if h == nil {
			continue
		}
		if n.Kind != Deleted && !n.isDir() && n.st.Nlink > 1 {
			if name, ok := first[n.st.Ino]; ok {
				*h = tar.Header{Typeflag: tar.TypeLink, Name: h.Name, Linkname: name, Mode: h.Mode,
					Uid: h.Uid, Gid: h.Gid, ModTime: h.ModTime, PAXRecords: h.PAXRecords, Format: h.Format}
			} else {
				first[n.st.Ino] = h.Name
			}
		}
		if err = tw.WriteHeader(h); err == nil && h.Typeflag == tar.TypeReg && h.Size > 0 {
			err = copyFrom(root, n, tw)
		}
		if err != nil {
			return fmt.Errorf("archive %q: %w", n.Path, err)
		}
	}
	return tw.Close()
}

// copyFrom writes the content of a file below root. If a container is at work there, the file may be another by now, or a
// directory on the way a symbolic link to the host's: no link is followed, and no FIFO waited for.
func copyFrom(root *os.File, n node, w io.Writer) error {
	fd, err := unix.Openat2(int(root.Fd()), n.file[len(root.Name())+1:], &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return os.NewSyscallError("openat2", err)
	}
	f := os.NewFile(uintptr(fd), n.file)
	_, err = io.CopyN(w, f, n.st.Size)
	return errors.Join(err, f.Close())
}

// header describes a node; nil for a socket, which means nothing without the process that listens on it.
func header(n node) (*tar.Header, error) {
	name, base, st := strings.TrimPrefix(n.Path, "/"), path.Base(n.Path), &n.st
	h := &tar.Header{
		Name: name, Mode: int64(st.Mode & 0o7777), Uid: int(st.Uid), Gid: int(st.Gid),
		ModTime: time.Unix(st.Mtim.Unix()), Format: tar.FormatPAX,
	}
	switch {
	case n.Kind == Deleted:
		h.Typeflag, h.Name = tar.TypeReg, strings.TrimSuffix(name, base)+whiteoutPrefix+base
		if base == opaqueName {
			h.Mode, h.ModTime = h.Mode&0o777, time.Unix(0, 0) // st is the directory's
		}
		return h, nil
	case strings.HasPrefix(base, whiteoutPrefix):
		return nil, fmt.Errorf("archive %q: its name would read as a whiteout", n.Path)
	case name == "":
		h.Name = "."
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
	case unix.S_IFREG:
		h.Typeflag, h.Size = tar.TypeReg, st.Size
	case unix.S_IFLNK:
		h.Typeflag = tar.TypeSymlink
	case unix.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	case unix.S_IFCHR:
		h.Typeflag = tar.TypeChar
	case unix.S_IFBLK:
		h.Typeflag = tar.TypeBlock
	default:
		return nil, nil
	}
	h.Devmajor, h.Devminor = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
	return h, describe(h, n.file)
}

// describe adds what stat(2) does not tell.
func describe(h *tar.Header, file string) (err error) {
	if h.Typeflag == tar.TypeSymlink {
		if h.Linkname, err = os.Readlink(file); err != nil {
			return err
		}
	}
	all, err := xattrs(file)
	for key, value := range all {
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords[paxXattr+key] = value
	}
	return err
}
