package build

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	images "cutaway/05-images"
)

// IsArchive looks at the beginning of a stream, and tells whether it is a tar
// archive, packed or not. Nothing is taken away from it; its buffer should hold
// some kilobytes.
func IsArchive(b *bufio.Reader) bool {
	head, _ := b.Peek(b.Size())
	r, err := images.Decompress(bytes.NewReader(head))
	if err != nil {
		return false
	}
	defer r.Close()
	_, err = tar.NewReader(r).Next()
	return err == nil
}

// isArchive tells whether ADD would unpack a file: its content counts, not its name.
func isArchive(t tree, name string) bool {
	f, err := t.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	return IsArchive(bufio.NewReaderSize(f, 64<<10))
}

// unpackTo writes what is in an archive, with its own owners and times.
func (p *packer) unpackTo(s source) error {
	f, err := s.in.Open(s.name)
	if err != nil {
		return err
	}
	defer f.Close()
	plain, err := images.Decompress(f)
	if err != nil {
		return fmt.Errorf("%s: %w", s.base, err)
	}
	defer plain.Close()
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.base, err)
		}
		if err := p.entry(h, r); err != nil {
			return fmt.Errorf("%s: %w", s.base, err)
		}
	}
}

// entry writes one entry of an archive below dest.
func (p *packer) entry(h *tar.Header, content io.Reader) error {
	name, err := inside(h.Name)
	if err != nil || name == "." || h.Typeflag == tar.TypeXGlobalHeader {
		return err
	}
	out := &tar.Header{
		Typeflag: h.Typeflag, Name: path.Join(p.dest, name), Linkname: h.Linkname, Size: h.Size, Mode: h.Mode, Uid: h.Uid, Gid: h.Gid,
		ModTime: h.ModTime, Devmajor: h.Devmajor, Devminor: h.Devminor,
	}
	for key, value := range h.PAXRecords {
		if strings.HasPrefix(key, "SCHILY.xattr.") {
			if out.PAXRecords == nil {
				out.PAXRecords = map[string]string{}
			}
			out.PAXRecords[key] = value
		}
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		out.Typeflag = tar.TypeReg // the reader fills holes with zeros
		return p.write(out, content)
	case tar.TypeDir:
		out.Name += "/"
	case tar.TypeLink:
		target, err := inside(h.Linkname)
		if err != nil {
			return err
		}
		out.Linkname = path.Join(p.dest, target)
	case tar.TypeChar:
		if h.Devmajor == 0 && h.Devminor == 0 {
			return unsupported.errorf("%s: in a layer, a character device 0/0 means that a file was removed", name)
		}
	}
	return p.write(out, nil)
}

// inside is a name of an archive, relative to where it is unpacked.
func inside(name string) (string, error) {
	clean := path.Clean(strings.TrimLeft(name, "/"))
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", badContext.errorf("%q leads out of the archive", name)
	}
	return clean, nil
}
