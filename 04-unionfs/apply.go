package unionfs

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Errors about archives.
var (
	ErrEscape = errors.New("entry leaves the layer")
	ErrEntry  = errors.New("entry cannot be part of a layer")
)

// unpacker writes one archive to one diff directory.
//
// How it works: the directory of each entry is opened with openat2(2) and RESOLVE_IN_ROOT, so the kernel itself keeps ".." and
// symbolic links inside, as chroot would. The entry's last name is used only in calls that take a directory's
// descriptor and do not follow a link in the last place. There is no third way to name a file here.
type unpacker struct {
	root   *os.File // the diff directory
	lowers []string // diff directories below, nearest first; nil for whole-tree drivers
	opaque string   // the driver's mark; "" for whole-tree drivers
	buf    []byte
	limit  int64 // bytes; a file that claims more cannot be real
	size   int64

	made map[string]bool // names that this archive made: whiteouts hide only what is below
	dirs []stamp         // their times are set last, since each new entry changes its directory's

	last     *os.File // the directory of the last entry, and
	lastName string   // its name, since the next is mostly in the same
}

type stamp struct {
	name  string
	times []unix.Timespec // access, modification
}

func newUnpacker(s *Store, l layer, diff string) (*unpacker, error) {
	root, err := os.Open(diff)
	if err != nil {
		return nil, err
	}
	u := &unpacker{root: root, opaque: s.driver.opaque(), buf: make([]byte, 256<<10), made: map[string]bool{}}
	if u.opaque != "" {
		u.lowers = s.lowers(l)
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(root.Fd()), &st); err != nil {
		return nil, errors.Join(os.NewSyscallError("fstatfs", err), root.Close())
	}
	u.limit = int64(st.Blocks) * st.Bsize
	return u, nil
}

// unpack reads the archive to the end of the stream, and returns the bytes in regular files.
func (u *unpacker) unpack(stream io.Reader) (int64, error) {
	defer u.close()
	tr := tar.NewReader(stream)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		if err := u.entry(h, tr); err != nil {
			return 0, fmt.Errorf("%q: %w", h.Name, err)
		}
	}
	for i := len(u.dirs) - 1; i >= 0; i-- {
		if err := u.touch(u.dirs[i]); err != nil {
			return 0, err
		}
	}
	_, err := io.Copy(io.Discard, stream) // whoever computes a digest wants the padding too
	return u.size, err
}

func (u *unpacker) close() {
	_ = u.root.Close()
	u.forget()
}

// forget closes the directory of the last entry.
func (u *unpacker) forget() {
	if u.last != nil {
		_ = u.last.Close()
	}
	u.last = nil
}

// clean returns an entry's name relative to the root, "." for the root itself. "/etc" is "etc", as everywhere.
func clean(name string) (string, error) {
	rel := path.Clean(strings.TrimLeft(name, "/"))
	if rel == ".." || strings.HasPrefix(rel, "../") {
		return "", ErrEscape
	}
	return rel, nil
}

// entry makes one entry.
func (u *unpacker) entry(h *tar.Header, r io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := clean(h.Name)
	if err != nil {
		return err
	}
	if name == "." {
		if h.Typeflag != tar.TypeDir {
			return fmt.Errorf("%w: the root must be a directory", ErrEntry)
		}
		return u.attributes(u.root, ".", h)
	}
	parent, base := path.Split(name)
	parent = path.Clean(parent)
	if hasWhiteout(parent) {
		return fmt.Errorf("%w: a whiteout is no directory", ErrEntry)
	}
	dir, err := u.dir(parent)
	if err != nil {
		return err
	}
	if hidden, ok := strings.CutPrefix(base, whiteoutPrefix); ok {
		return u.whiteout(dir, parent, hidden)
	}
	if h.Typeflag == tar.TypeChar && h.Devmajor == 0 && h.Devminor == 0 {
		return u.hide(dir, name) // overlay's own whiteout, from an archive of an upper directory
	}
	keep, err := u.clear(dir, name, h.Typeflag)
	if err != nil {
		return err
	}
	u.made[name] = true
	if err := u.create(dir, base, entry{h, r, keep}); err != nil || h.Typeflag == tar.TypeLink {
		return err
	}
	return u.attributes(dir, base, h)
}

// entry is a header with its content.
type entry struct {
	*tar.Header
	content io.Reader
	keep    bool // a directory that is there already
}

// create makes the file base in dir.
func (u *unpacker) create(dir *os.File, base string, e entry) error {
	fd := int(dir.Fd())
	switch e.Typeflag {
	case tar.TypeDir:
		if e.keep {
			return nil
		}
		return os.NewSyscallError("mkdirat", unix.Mkdirat(fd, base, 0o700))
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		return u.file(dir, base, e)
	case tar.TypeLink:
		return u.hardLink(dir, base, e.Linkname)
	case tar.TypeSymlink:
		return os.NewSyscallError("symlinkat", unix.Symlinkat(e.Linkname, fd, base))
	case tar.TypeFifo:
		return os.NewSyscallError("mknodat", unix.Mknodat(fd, base, unix.S_IFIFO|0o600, 0))
	case tar.TypeChar:
		return u.device(dir, base, unix.S_IFCHR, e)
	case tar.TypeBlock:
		return u.device(dir, base, unix.S_IFBLK, e)
	default:
		return fmt.Errorf("%w: type %q", ErrEntry, e.Typeflag)
	}
}

// device makes a device node. Root of a user namespace may not (user_namespaces(7)); there it is left out, as Docker does.
func (u *unpacker) device(dir *os.File, base string, mode uint32, e entry) error {
	dev := unix.Mkdev(uint32(e.Devmajor), uint32(e.Devminor))
	err := unix.Mknodat(int(dir.Fd()), base, mode|0o600, int(dev))
	if errors.Is(err, unix.EPERM) && inUserNamespace() {
		return errLeftOut
	}
	return os.NewSyscallError("mknodat", err)
}

var errLeftOut = errors.New("left out")

func (u *unpacker) file(dir *os.File, base string, e entry) error {
	if e.Size > u.limit {
		return fmt.Errorf("%w: %d bytes are more than the disk has", ErrEntry, e.Size)
	}
	fd, err := unix.Openat(int(dir.Fd()), base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return os.NewSyscallError("openat", err)
	}
	f := os.NewFile(uintptr(fd), base)
	u.size += e.Size
	if sparse(e.Header) {
		err = u.copySparse(f, e)
	} else {
		_, err = io.CopyBuffer(struct{ io.Writer }{f}, e.content, u.buf)
	}
	return errors.Join(err, f.Close())
}

// sparse reports whether the header lists holes. archive/tar reads them back as zeros.
func sparse(h *tar.Header) bool {
	_, pax := h.PAXRecords["GNU.sparse.realsize"]
	_, old := h.PAXRecords["GNU.sparse.size"]
	return h.Typeflag == tar.TypeGNUSparse || pax || old
}

// copySparse leaves a hole for each buffer of zeros.
func (u *unpacker) copySparse(f *os.File, e entry) error {
	for off := int64(0); off < e.Size; {
		n, err := io.ReadFull(e.content, u.buf[:min(int64(4096), e.Size-off)])
		if err != nil {
			return err
		}
		if strings.Trim(string(u.buf[:n]), "\x00") != "" {
			if _, err := f.WriteAt(u.buf[:n], off); err != nil {
				return err
			}
		}
		off += int64(n)
	}
	return f.Truncate(e.Size)
}

// hardLink gives the file target, an earlier entry of any layer, a second name.
func (u *unpacker) hardLink(dir *os.File, base, target string) error {
	name, err := clean(target)
	if err != nil {
		return err
	}
	parent, old := path.Split(name)
	from, err := u.open(path.Clean(parent))
	if err != nil {
		return err
	}
	defer from.Close()
	return os.NewSyscallError("linkat", unix.Linkat(int(from.Fd()), old, int(dir.Fd()), base, 0))
}

// attributes sets owner, mode, extended attributes and times of dir/base, in the one order in which none undoes another: chown(2)
// clears set-user-ID bits and file capabilities.
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
		if key, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok && !private(key) {
			if err := setXattr(procPath(dir, base), key, value); err != nil {
				return err
			}
		}
	}
	times := timespecs(h)
	if h.Typeflag == tar.TypeDir {
		u.dirs = append(u.dirs, stamp{path.Clean(strings.TrimLeft(h.Name, "/")), times})
		return nil
	}
	return os.NewSyscallError("utimensat", unix.UtimesNanoAt(fd, base, times, unix.AT_SYMLINK_NOFOLLOW))
}

func timespecs(h *tar.Header) []unix.Timespec {
	at := h.AccessTime
	if at.IsZero() {
		at = h.ModTime
	}
	return []unix.Timespec{timespec(at), timespec(h.ModTime)}
}

func timespec(t time.Time) unix.Timespec {
	return unix.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
}

// touch sets the times of a directory, if a later entry has not replaced it.
func (u *unpacker) touch(s stamp) error {
	dir, err := u.open(s.name)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	return os.NewSyscallError("utimensat", unix.UtimesNanoAt(int(dir.Fd()), ".", s.times, 0))
}

// procPath names dir/base for the calls that take no descriptor.
func procPath(dir *os.File, base string) string {
	return "/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + base
}
