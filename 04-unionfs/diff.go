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
	if _, err := s.layer(id); err != nil {
		return nil, err
	}
	return stream(func(w io.Writer) error {
		return s.compare(id, func(c comparison) error {
			for i := range c.nodes {
				c.nodes[i].mask = c.Types
			}
			return pack(w, c.nodes)
		})
	}), nil
}

// stream returns what write writes. Its error comes from Read; to Close early ends it.
func stream(write func(io.Writer) error) io.ReadCloser {
	r, w := io.Pipe()
	go func() { w.CloseWithError(write(w)) }()
	return r
}

// pack writes an archive of nodes.
func pack(w io.Writer, nodes []node) error {
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
			err = copyFrom(n, tw)
		}
		if err != nil {
			return fmt.Errorf("archive %q: %w", n.Path, err)
		}
	}
	return tw.Close()
}

// copyFrom writes the content of a file. If a container is at work there, the file may be another by now, or a
// directory on the way a symbolic link to the host's: no link is followed, and no FIFO waited for.
func copyFrom(n node, w io.Writer) error {
	root, err := os.Open(strings.TrimSuffix(n.file, n.Path))
	if err != nil {
		return err
	}
	defer root.Close()
	f, err := openBeneath(root, n.Path[1:], unix.O_NONBLOCK)
	if err != nil {
		return err
	}
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
	default:
		h.Mode |= int64(st.Mode & n.mask)
	}
	if n.isDir() {
		h.Name = path.Join(".", name) + "/"
	}
	for flag, mode := range modes {
		if mode == st.Mode&unix.S_IFMT {
			h.Typeflag = flag
		}
	}
	if h.Typeflag == 0 {
		return nil, nil
	}
	h.Devmajor, h.Devminor = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
	return h, describe(h, n)
}

// describe adds what means something for one type of files only, and the extended attributes.
func describe(h *tar.Header, n node) (err error) {
	switch h.Typeflag {
	case tar.TypeReg:
		h.Size = n.st.Size
	case tar.TypeSymlink:
		if h.Linkname, err = os.Readlink(n.file); err != nil {
			return err
		}
	}
	h.PAXRecords, err = xattrs(n.file)
	return err
}
