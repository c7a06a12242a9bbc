package unionfs

import (
	"errors"
	"io"
	"os"
)

// vfs copies: each diff is the whole tree. It asks nothing of the kernel, and costs time and disk accordingly.
type vfs struct{}

func (vfs) probe(string) (io.Closer, error) { return nil, nil }

// create copies as a person would: tar -C PARENT -c . | tar -C DIFF -x.
func (vfs) create(d *draft, parent *layer) error {
	if err := os.Mkdir(d.diff(), 0o755); err != nil || parent == nil {
		return errors.Join(err, os.Chmod(d.diff(), 0o755)) // whatever the umask
	}
	archive := stream(func(w io.Writer) error {
		nodes, err := scan(parent.diff())
		return errors.Join(err, pack(w, nodes))
	})
	_, err := d.unpack(archive)
	return errors.Join(err, archive.Close())
}

func (vfs) destroy(dir string) error { return os.RemoveAll(dir) }

func (vfs) mount(_ *Store, l layer) Mount {
	return Mount{Type: "bind", Source: l.diff(), Options: l.mode()}
}
