package unionfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// overlay has the kernel merge: filesystems/overlayfs.rst.
type overlay struct{}

// probe merges two directories and deletes a file. Nothing less than trying tells whether it works: overlay refuses
// an upper directory on another overlay, on most network file systems, and on those that lack
// extended attributes or whiteouts.
func (o overlay) probe(dir string) (io.Closer, error) {
	return nil, probe(dir, Mount{Type: "overlay", Options: o.options()})
}

func probe(dir string, m Mount) (err error) {
	tmp, err := os.MkdirTemp(dir, ".probe")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	for _, sub := range []string{"lower/file", "upper", "work", "merged"} {
		if err := os.MkdirAll(filepath.Join(tmp, sub), 0o711); err != nil {
			return err
		}
	}
	mark := opaqueMark()
	if err := unix.Lsetxattr(filepath.Join(tmp, "upper"), mark, []byte("n"), 0); err != nil {
		return &os.PathError{Op: "lsetxattr " + mark, Path: dir, Err: err}
	}
	m.Dir, m.Lower, m.Upper, m.Work = tmp, []string{"lower"}, "upper", "work"
	m.Target = filepath.Join(tmp, "merged")
	if err := m.Do(); err != nil {
		return err
	}
	return errors.Join(os.Remove(filepath.Join(m.Target, "file")), m.Undo())
}

func (overlay) create(d *draft, parent *layer) error {
	err := errors.Join(os.Mkdir(filepath.Join(d.dir, "work"), 0o700), os.Mkdir(d.diff(), 0o755))
	// The root of the uppermost layer is the root that is seen.
	st := unix.Stat_t{Mode: 0o755}
	if parent != nil && err == nil {
		err = lstat(parent.diff(), &st)
	}
	if err != nil {
		return err
	}
	return errors.Join(os.Lchown(d.diff(), int(st.Uid), int(st.Gid)), unix.Chmod(d.diff(), st.Mode&0o7777))
}

func (overlay) destroy(dir string) error { return os.RemoveAll(dir) }

func (o overlay) mount(s *Store, l layer) Mount {
	m, own := Mount{Type: "overlay", Dir: s.dir, Lower: l.Lower, Options: append(o.options(), l.mode()...)}, filepath.Join("layers", dirName(l.ID))
	switch {
	case len(l.Lower) == 0: // there is nothing to merge
		return vfs{}.mount(s, l)
	case l.Link != "":
		m.Lower = append([]string{l.Link}, l.Lower...)
	default:
		m.Upper, m.Work = filepath.Join(own, "diff"), filepath.Join(own, "work")
	}
	return m
}

// opaqueMark is the attribute of an opaque directory. It needs the machine's own root in the "trusted." namespace, xattr(7). Root of a user namespace has "user.", since Linux 5.11.
func opaqueMark() string {
	if inUserNamespace() {
		return "user.overlay.opaque"
	}
	return "trusted.overlay.opaque"
}

// options turn off what would leave overlay's private notes in an upper directory: files of which only the attributes were
// copied (metacopy), directories renamed by reference (redirect_dir), handles of files below (index).
// Without them the directory can be read as a layer. Each has a default that was chosen when the kernel was built, and is
// named only where the kernel knows it. Docker passes index=off, and compares whole trees where the
// others are on.
func (overlay) options() []string {
	if inUserNamespace() {
		return []string{"userxattr"} // excludes metacopy and redirect_dir
	}
	var off []string
	for _, name := range []string{"index", "metacopy", "redirect_dir"} {
		if _, err := os.Stat("/sys/module/overlay/parameters/" + name); err == nil {
			off = append(off, name+"=off")
		}
	}
	return off
}

// fuse has a program merge: fuse-overlayfs(1). Before Linux 5.11 it was the way for those who are not root. Its layers are overlay's.
type fuse struct{ overlay }

func (fuse) probe(dir string) (io.Closer, error) {
	return nil, probe(dir, Mount{Type: "fuse-overlayfs"})
}

func (f fuse) mount(s *Store, l layer) Mount {
	m := f.overlay.mount(s, l)
	if m.Type != "overlay" {
		return m
	}
	m.Type, m.Options = "fuse-overlayfs", l.mode()
	return m
}

// serve starts the program that m.Type names; it returns once the mount is there, and the program stays until it is unmounted.
func (m Mount) serve() error {
	cmd := exec.Command(m.Type, "-o", m.data(), m.Target)
	cmd.Dir = m.Dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// inUserNamespace reports whether this process is root, if at all, of less than the machine. The number is
// PROC_USER_INIT_INO of linux/proc_ns.h.
var inUserNamespace = sync.OnceValue(func() bool {
	ns, err := os.Readlink("/proc/self/ns/user")
	return err == nil && ns != "user:[4026531837]"
})
