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
func (vfs) create(l, parent *layer) error {
	if err := os.Mkdir(l.diff(), 0o755); err != nil || parent == nil {
		return errors.Join(err, os.Chmod(l.diff(), 0o755)) // whatever the umask
	}
	from, err := os.Open(parent.diff())
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.Open(l.diff())
	if err != nil {
		return err
	}
	defer to.Close()
	r, w := io.Pipe()
	go func() {
		nodes, err := scan(from)
		w.CloseWithError(errors.Join(err, pack(w, nodes)))
	}()
	_, err = (&unpacker{root: to}).unpack(r)
	return errors.Join(err, r.Close())
}

func (vfs) destroy(dir string) error { return os.RemoveAll(dir) }

func (vfs) mount(_ *Store, l layer) Mount {
	return Mount{Type: "bind", Source: l.diff(), Options: l.mode()}
}

func (vfs) union() bool { return false }
