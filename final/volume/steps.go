package volume

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	chroot "cutaway/01-chroot"
	"cutaway/final/rootfs"

	"golang.org/x/sys/unix"
)

// Directory makes a directory of the host for a mount, where the user named one
// that is not there, or where a new volume begins.
//
// Man page: mkdir(2)
type Directory struct{ Path string }

// Do makes the directory and its parents. One that is there is kept.
func (d Directory) Do() error { return os.MkdirAll(d.Path, 0o755) }

// String is mkdir(1).
func (d Directory) String() string { return "mkdir -p " + rootfs.Quote(d.Path) }

// File writes a file that every container needs and no image can have, because
// it depends on the network: /etc/hosts, /etc/hostname, /etc/resolv.conf.
//
// Man page: hosts(5), hostname(5), resolv.conf(5)
type File struct {
	Path    string
	Content string
}

// Do replaces the file's content. The file itself stays the same, so that a
// mount of it sees the change.
func (f File) Do() error {
	if err := os.WriteFile(f.Path, []byte(f.Content), 0o644); err != nil {
		return err
	}
	return os.Chmod(f.Path, 0o644)
}

// String is a here document.
func (f File) String() string {
	return fmt.Sprintf("cat > %s <<'EOF'\n%s\nEOF", rootfs.Quote(f.Path), strings.TrimSuffix(f.Content, "\n"))
}

// Fill copies what the image has at a volume's place into the volume, so that a
// program finds the files that it was shipped with. Only an empty volume is
// filled.
//
// Man page: copy_file_range(2)
type Fill struct {
	Root string // the container's tree, mounted
	From string // directory in it
	To   string // the volume
}

// Do copies the tree with owners, modes and times. From is found as a process in
// the container would find it, and everything below inside the two directories
// (os.Root), so that no symbolic link leads out.
func (f Fill) Do() error {
	entries, err := os.ReadDir(f.To)
	if err != nil || len(entries) > 0 {
		return err
	}
	dir, err := chroot.OpenIn(f.Root, strings.TrimPrefix(f.From, "/"), unix.OpenHow{Flags: unix.O_DIRECTORY})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil // the image has nothing there
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	from, err := os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", dir.Fd()))
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenRoot(f.To)
	if err != nil {
		return err
	}
	defer to.Close()
	return fs.WalkDir(from.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return copyOne(from, to, name)
	})
}

// copyOne copies one directory entry, and what it says of itself.
func copyOne(from, to *os.Root, name string) error {
	info, err := from.Lstat(name)
	if err != nil {
		return err
	}
	st := info.Sys().(*syscall.Stat_t)
	switch info.Mode().Type() {
	case fs.ModeDir:
		if name != "." {
			err = to.Mkdir(name, 0o700)
		}
	case fs.ModeSymlink:
		err = copyLink(from, to, name)
	case 0:
		err = copyFile(from, to, name)
	default:
		return nil // sockets, pipes and devices belong to running programs
	}
	if err == nil {
		err = to.Lchown(name, int(st.Uid), int(st.Gid))
	}
	if err == nil && info.Mode().Type() != fs.ModeSymlink {
		err = to.Chmod(name, info.Mode())
	}
	if err == nil && info.Mode().Type() == 0 {
		err = to.Chtimes(name, info.ModTime(), info.ModTime())
	}
	return err
}

func copyLink(from, to *os.Root, name string) error {
	target, err := from.Readlink(name)
	if err != nil {
		return err
	}
	return to.Symlink(target, name)
}

func copyFile(from, to *os.Root, name string) error {
	in, err := from.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := to.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// String is cp(1), if the volume is empty and the image has something there.
func (f Fill) String() string {
	from, to := rootfs.Quote(filepath.Join(f.Root, f.From)), rootfs.Quote(f.To)
	return fmt.Sprintf(`[ ! -d %[1]s ] || [ "$(ls -A %[2]s)" ] || cp -a %[1]s/. %[2]s`, from, to)
}
