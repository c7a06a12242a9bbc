package unionfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// overlay lets the kernel merge: filesystems/overlayfs.rst.
type overlay struct{}

// probe mounts two directories as one. That is the only sure way to know: overlay refuses an upper directory on
// overlayfs itself, on many network file systems, and on those without extended attributes or d_type.
func (o overlay) probe(dir string) error {
	tmp, err := os.MkdirTemp(dir, ".probe")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	for _, sub := range []string{"lower", "upper", "work", "merged"} {
		if err := os.Mkdir(filepath.Join(tmp, sub), 0o755); err != nil {
			return err
		}
	}
	m := Mount{Type: "overlay", Dir: tmp, Lower: []string{"lower"}, Upper: "upper", Work: "work", Options: o.options()}
	m.Target = filepath.Join(tmp, "merged")
	if err := m.Do(); err != nil {
		return err
	}
	// A container deletes with a whiteout, and an upper directory that cannot hold one is mounted read-only.
	err = errors.Join(os.Mkdir(filepath.Join(m.Target, "d"), 0o755), m.Undo())
	if err == nil {
		err = unix.Lsetxattr(filepath.Join(tmp, "upper", "d"), o.opaque(), []byte("y"), 0)
	}
	return err
}

func (overlay) create(dir, parent string) error {
	if err := os.Mkdir(filepath.Join(dir, "work"), 0o711); err != nil {
		return err
	}
	return mkdirLike(filepath.Join(dir, "diff"), parent)
}

func (overlay) destroy(dir string) error { return os.RemoveAll(dir) }

func (o overlay) mount(s *Store, l layer) Mount {
	m := Mount{Type: "overlay", Dir: s.dir, Lower: l.Lower, Options: o.options()}
	own := filepath.Join("layers", dirName(l.ID))
	switch {
	case l.Link != "" && len(l.Lower) == 0:
		return Mount{Type: "bind", Source: filepath.Join(s.dir, own, "diff"), Options: []string{"ro"}}
	case l.Link != "":
		m.Lower = append([]string{l.Link}, l.Lower...)
		m.Options = append(m.Options, "ro")
	case len(l.Lower) == 0:
		return Mount{Type: "bind", Source: filepath.Join(s.dir, own, "diff")}
	default:
		m.Upper, m.Work = filepath.Join(own, "diff"), filepath.Join(own, "work")
	}
	return m
}

func (overlay) opaque() string {
	if inUserNamespace() {
		return "user.overlay.opaque"
	}
	return "trusted.overlay.opaque"
}

// options keep what overlay writes to an upper directory free of private notes (origin handles, redirects of
// renamed directories, files of metadata only), so that the directory can be read as a layer. Each has a default that
// the kernel's builder chose, and is named only where this kernel knows it. Docker passes index=off for the
// same reason, and compares trees file by file where the others are on.
func (overlay) options() []string {
	if inUserNamespace() {
		return []string{"userxattr"} // since Linux 5.11; implies the rest
	}
	var opts []string
	for _, name := range []string{"index", "metacopy", "redirect_dir"} {
		if _, err := os.Stat("/sys/module/overlay/parameters/" + name); err == nil {
			opts = append(opts, name+"=off")
		}
	}
	return opts
}

// mkdirLike makes the directory name with the mode and owner of like; with "", 0755 and ours.
func mkdirLike(name, like string) error {
	if err := os.Mkdir(name, 0o755); err != nil || like == "" {
		return err
	}
	var st unix.Stat_t
	if err := unix.Stat(like, &st); err != nil {
		return &os.PathError{Op: "stat", Path: like, Err: err}
	}
	if err := unix.Lchown(name, int(st.Uid), int(st.Gid)); err != nil {
		return &os.PathError{Op: "chown", Path: name, Err: err}
	}
	if err := unix.Chmod(name, st.Mode&0o7777); err != nil {
		return &os.PathError{Op: "chmod", Path: name, Err: err}
	}
	return nil
}

// inUserNamespace reports whether this process is root of less than the machine. The first namespace
// maps every ID to itself: "         0          0 4294967295".
func inUserNamespace() bool {
	b, err := os.ReadFile("/proc/self/uid_map")
	var inside, outside, count uint32
	_, serr := fmt.Sscan(string(b), &inside, &outside, &count)
	return err == nil && serr == nil && count != ^uint32(0)
}
