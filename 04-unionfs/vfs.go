package unionfs

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// vfs copies: each diff is the whole tree. It asks nothing of the kernel, and costs time and disk accordingly.
type vfs struct{}

func (vfs) probe(string) error { return nil }

// create copies as a person would: tar -C PARENT -c . | tar -C DIFF -x.
func (vfs) create(dir, parent string) error {
	diff := filepath.Join(dir, "diff")
	if err := os.Mkdir(diff, 0o755); err != nil {
		return err
	}
	if parent == "" {
		return os.Chmod(diff, 0o755) // whatever the umask
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(packTree(w, parent)) }()
	_, err := (&unpacker{diff: diff}).unpack(r)
	return errors.Join(err, r.Close())
}

func (vfs) destroy(dir string) error { return os.RemoveAll(dir) }

func (vfs) mount(s *Store, l layer) Mount {
	m := Mount{Type: "bind", Source: s.diff(l.ID)}
	if l.Link != "" {
		m.Options = []string{"ro"}
	}
	return m
}

func (vfs) mark() string { return "" }
