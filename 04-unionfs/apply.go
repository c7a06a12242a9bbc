package unionfs

import (
	"archive/tar"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Errors about the entries of an archive.
var (
	ErrEscape = errors.New("name leads out of the layer")
	ErrEntry  = errors.New("no layer can hold this")
)

// unpacker writes one archive into one diff directory.
//
// How it works: the directory of each entry is opened by openBeneath, so the kernel itself refuses what leads out; links are
// followed by resolve, which only makes another name of the first. The last part of the name goes only to calls that take the
// directory's descriptor and follow no link in the last place. No file is named in any third way.
type unpacker struct {
	union  bool     // the driver's
	root   *os.File // the directory, and
	lowers []string // those below, nearest first; for union drivers

	buf   []byte
	limit int64  // bytes; no file can be larger
	size  int64  // bytes in regular files so far
	types uint32 // see layer

	made map[string]bool // what this archive made: its whiteouts mean only what is below
	dirs []*tar.Header   // whose times are set last, because each entry in a directory changes them

	last     *os.File // the directory of the last entry, if any: the next one is mostly there too
	lastName string   // as the archive calls it
	lastReal string   // without symbolic links
}

// unpack reads the archive, to the end of the stream.
func (u *unpacker) unpack(stream io.Reader) (err error) {
	defer func() { _ = u.last.Close() }()
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(u.root.Fd()), &st); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	u.limit = int64(st.Blocks) * st.Bsize
	u.buf, u.made = make([]byte, 128<<10), map[string]bool{}
	for tr := tar.NewReader(stream); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := u.entry(h, tr); err != nil && !errors.Is(err, errLeftOut) {
			return fmt.Errorf("%q: %w", h.Name, err)
		}
	}
	for _, h := range slices.Backward(u.dirs) {
		if err := u.touch(h); err != nil {
			return err
		}
	}
	_, err = io.Copy(io.Discard, stream) // whoever computes a digest wants the padding too
	return err
}

// clean returns an entry's name relative to the root, which is ".". A name that begins with "/" begins at the root.
func clean(name string) (string, error) {
	rel := path.Clean(strings.TrimLeft(name, "/"))
	if rel == ".." || strings.HasPrefix(rel, "../") {
		return "", ErrEscape
	}
	return rel, nil
}

// entry makes one entry, or does what a whiteout says.
func (u *unpacker) entry(h *tar.Header, content io.Reader) error {
	name, err := clean(h.Name)
	if err != nil || h.Typeflag == tar.TypeXGlobalHeader || isAUFS(name) {
		return err
	}
	if name == "." {
		if h.Typeflag != tar.TypeDir {
			return fmt.Errorf("%w: a root that is no directory", ErrEntry)
		}
		return u.attributes(u.root, name, h)
	}
	dir, err := u.dir(path.Dir(name))
	if err != nil {
		return err
	}
	base := path.Base(name)
	name = path.Join(u.lastReal, base)
	if hidden, ok := strings.CutPrefix(base, whiteoutPrefix); ok {
		return u.whiteout(dir, hidden, h)
	}
	if h.Typeflag == tar.TypeChar && h.Devmajor == 0 && h.Devminor == 0 {
		return u.whiteout(dir, base, h) // overlay's own: somebody archived an upper directory
	}
	if h.Mode&unix.S_IFMT != 0 {
		u.types = unix.S_IFMT
	}
	err = u.create(dir, name, entry{h, content})
	u.made[name] = err == nil
	if err != nil || h.Typeflag == tar.TypeLink { // whose file has its attributes
		return err
	}
	return u.attributes(dir, base, h)
}

// dir opens the directory that an entry goes into; it must not be closed.
func (u *unpacker) dir(name string) (*os.File, error) {
	if u.last != nil && u.lastName == name {
		return u.last, nil
	}
	real := name
	f, err := openBeneath(u.root, name, unix.O_DIRECTORY)
	if absent(err) {
		if real, err = u.resolve(name); err != nil {
			return nil, err
		}
		f, err = openBeneath(u.root, real, unix.O_DIRECTORY)
	}
	if absent(err) {
		if err = u.imply(real); err == nil {
			f, err = openBeneath(u.root, real, unix.O_DIRECTORY)
		}
	}
	if err != nil {
		return nil, err
	}
	_ = u.last.Close()
	u.last, u.lastName, u.lastReal = f, name, real
	return f, nil
}

// openBeneath opens what is really called name in the tree root: a symbolic link on the way, or at its end, is ELOOP, wherever it leads.
func openBeneath(root *os.File, name string, flags uint64) (*os.File, error) {
	how := &unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(int(root.Fd()), name, how)
	for errors.Is(err, unix.EINTR) {
		fd, err = unix.Openat2(int(root.Fd()), name, how)
	}
	if err != nil {
		return nil, &os.PathError{Op: "openat2", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// absent reports whether there is no directory of a name, but perhaps a link that leads to one.
func absent(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
}

// imply makes a directory for which there was no entry. It looks like the one that it covers in the layers below.
func (u *unpacker) imply(name string) error {
	n := u.lookup(name)
	if !n.isDir() {
		n = directory("/" + name)
	}
	return u.copyUp(n)
}

// lookup returns what the layer that is being made, and those below it, show as name.
func (u *unpacker) lookup(name string) node {
	return find(append([]string{procPath(u.root)}, u.lowers...), name)
}

// resolve follows the symbolic links in name, a directory, as chroot(2) into the merged tree would: "lib/x" is "usr/lib/x" where a
// layer below has lib -> usr/lib. The kernel cannot do it, since that link may be in another layer.
func (u *unpacker) resolve(name string) (string, error) {
	done, rest := "", strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		next := path.Join("/", done, rest[0])[1:]
		rest = rest[1:]
		n := u.lookup(next)
		if next == "" || n.st.Mode&unix.S_IFMT != unix.S_IFLNK {
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

// attributes sets owner, mode, extended attributes and times of dir/base in the one order in which none undoes another:
// chown(2) clears set-user-ID bits and file capabilities.
func (u *unpacker) attributes(dir *os.File, base string, h *tar.Header) error {
	fd := int(dir.Fd())
	if err := unix.Fchownat(fd, base, h.Uid, h.Gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return os.NewSyscallError("fchownat", err)
	}
	if h.Typeflag != tar.TypeSymlink {
		if err := unix.Fchmodat(fd, base, uint32(h.Mode)&0o7777, 0); err != nil {
			return os.NewSyscallError("fchmodat", err)
		}
	}
	for key, value := range h.PAXRecords {
		if key, ok := strings.CutPrefix(key, paxXattr); ok && !foreign(key) {
			if err := setXattr(procPath(dir)+"/"+base, key, value); err != nil {
				return err
			}
		}
	}
	if h.Typeflag != tar.TypeDir {
		return setTimes(dir, base, h)
	}
	if h.Name = base; base != "." {
		h.Name = path.Join(u.lastReal, base)
	}
	u.dirs = append(u.dirs, h)
	return nil
}

// setTimes sets the times of dir/base, last access and last modification.
func setTimes(dir *os.File, base string, h *tar.Header) error {
	times := []unix.Timespec{timespec(cmp.Or(h.AccessTime, h.ModTime)), timespec(h.ModTime)}
	err := unix.UtimesNanoAt(int(dir.Fd()), base, times, unix.AT_SYMLINK_NOFOLLOW)
	return os.NewSyscallError("utimensat", err)
}

func timespec(t time.Time) unix.Timespec {
	return unix.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
}

// touch sets the times of a directory, unless a later entry took its place.
func (u *unpacker) touch(h *tar.Header) error {
	f, err := openBeneath(u.root, h.Name, unix.O_DIRECTORY)
	if absent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return setTimes(f, ".", h)
}
