package unionfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Mount shows a stack of layers as one tree. A container's root file system is the image's layers, read-only, with one
// writable layer on top: many containers share the files below, and each sees only its own changes.
//
// Man page: mount(2), fsopen(2), mount(8)
//
// Do mounts in the mount namespace of the calling process and reads the result back;
// Undo unmounts. Nothing is written to the layers themselves, save overlay's scratch files in Work.
type Mount struct {
	Type    string   `json:"type"`              // "overlay", "bind", "fuse-overlayfs", or "devicemapper"
	Source  string   `json:"source,omitempty"`  // bind: the whole tree
	Dir     string   `json:"dir,omitempty"`     // overlay: what the next three are relative to
	Lower   []string `json:"lower,omitempty"`   // overlay: read-only layers, nearest (topmost) first
	Upper   string   `json:"upper,omitempty"`   // overlay: the writable layer; "" mounts read-only
	Work    string   `json:"work,omitempty"`    // overlay: an empty directory on Upper's file system
	Target  string   `json:"target"`            // an existing directory
	Options []string `json:"options,omitempty"` // as mount -o takes them
	Thin    *Thin    `json:"thin,omitempty"`    // devicemapper: the device
}

// String returns the shell command that does the same.
func (m Mount) String() string {
	switch m.Type {
	case "bind":
		return fmt.Sprintf("mount -o %s %s %s", strings.Join(append([]string{"bind"}, m.Options...), ","), quote(m.Source), quote(m.Target))
	case "devicemapper":
		return fmt.Sprintf("%smount -t ext4 -o %s /dev/mapper/%s %s", m.Thin, strings.Join(m.Options, ","), m.Thin.name(), quote(m.Target))
	case "overlay":
		// Names relative to Dir keep the options of 127 layers within the one page that mount(2) takes.
		return fmt.Sprintf("(cd %s && mount -t overlay -o %s overlay %s)", quote(m.Dir), quote(m.data()), quote(m.Target))
	default:
		return fmt.Sprintf("(cd %s && %s -o %s %s)", quote(m.Dir), m.Type, quote(m.data()), quote(m.Target))
	}
}

// Do mounts, and makes sure that the kernel shows the new mount at Target.
func (m Mount) Do() error {
	if err := m.attach(); err != nil {
		return fmt.Errorf("mount %s on %q: %w", m.Type, m.Target, err)
	}
	return m.verify()
}

// Undo unmounts Target. While a process still has files open there, the mount leaves the tree at once and
// dies with its last user (MNT_DETACH). A target that is no mount point, or is gone, is no error.
func (m Mount) Undo() error {
	err := unix.Unmount(m.Target, unix.UMOUNT_NOFOLLOW)
	if errors.Is(err, unix.EBUSY) {
		err = unix.Unmount(m.Target, unix.UMOUNT_NOFOLLOW|unix.MNT_DETACH)
	}
	if err == nil || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return &os.PathError{Op: "umount", Path: m.Target, Err: err}
}

func (m Mount) attach() error {
	switch m.Type {
	case "bind":
		return m.bind()
	case "overlay":
		return m.overlay()
	case "devicemapper":
		return m.move(m.Thin.mount(m.Options))
	default:
		return m.serve()
	}
}

// bind shows one tree in a second place. A bind mount takes its own flags only from a second call: mount(2), "Creating a bind mount".
func (m Mount) bind() error {
	if err := unix.Mount(m.Source, m.Target, "", unix.MS_BIND, ""); err != nil || !m.readOnly() {
		return err
	}
	return unix.Mount("", m.Target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}

// Volatile is the same mount of a writable layer that nobody will want back after a crash. Otherwise unmounting
// waits until the disk has everything that is dirty on Upper's file system, whoever wrote it. The price: fsync(2) and
// sync(2) inside do nothing. See filesystems/overlayfs.rst "Volatile mount", since Linux 5.10. Other types stay as they are.
func (m Mount) Volatile() Mount {
	if m.Type == "overlay" && m.Upper != "" {
		m.Options = append(slices.Clip(m.Options), volatile)
	}
	return m
}

const volatile = "volatile"

// overlay mounts. The kernel refuses a layer that was mounted volatile before, since a crash may have lost files of it; whoever
// mounts it volatile again has accepted that, so the mark is removed.
func (m Mount) overlay() error {
	if slices.Contains(m.Options, volatile) {
		if err := os.RemoveAll(filepath.Join(m.Dir, m.Work, "work", "incompat", volatile)); err != nil {
			return err
		}
	}
	if !oneByOne() {
		return m.legacy()
	}
	err := m.configure()
	if errors.Is(err, unix.EINVAL) && m.legacy() == nil { // a name was longer than 255 bytes; relative ones are not
		return nil
	}
	return err
}

// oneByOne reports whether this kernel takes layers one by one: "lowerdir+", since Linux 6.8. Before 6.5, overlay took every
// option, and complained in the kernel's log when it came to mount; such a kernel takes one that nobody knows.
var oneByOne = sync.OnceValue(func() bool {
	fd, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.FsconfigSetString(fd, "cutaway", "?") != nil && unix.FsconfigSetString(fd, "lowerdir+", "/") == nil
})

// configure mounts overlay with one call for each layer, so that their number and the length of their names are
// not limited to a page of options. A string may have 255 bytes.
func (m Mount) configure() error {
	settings := []string{"source=overlay"}
	for _, l := range m.Lower {
		settings = append(settings, "lowerdir+="+filepath.Join(m.Dir, l))
	}
	if m.Upper != "" {
		settings = append(settings, "upperdir="+filepath.Join(m.Dir, m.Upper), "workdir="+filepath.Join(m.Dir, m.Work))
	}
	return m.move(configure("overlay", append(settings, m.Options...)))
}

// configure makes a file system of a kind, and a mount of it that is nowhere yet.
func configure(kind string, settings []string) (*os.File, error) {
	fd, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("fsopen", err)
	}
	fsctx := os.NewFile(uintptr(fd), kind)
	defer fsctx.Close()
	attr := 0
	for _, setting := range settings {
		if key, value, ok := strings.Cut(setting, "="); ok {
			err = unix.FsconfigSetString(fd, key, value)
		} else {
			err = unix.FsconfigSetFlag(fd, setting)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", setting, explain(fsctx, err))
		}
		if setting == "ro" {
			attr = unix.MOUNT_ATTR_RDONLY
		}
	}
	if err := unix.FsconfigCreate(fd); err != nil {
		return nil, explain(fsctx, err)
	}
	mount, err := unix.Fsmount(fd, unix.FSMOUNT_CLOEXEC, attr)
	if err != nil {
		return nil, explain(fsctx, os.NewSyscallError("fsmount", err))
	}
	return os.NewFile(uintptr(mount), kind), nil
}

// move hangs a mount that is nowhere yet on Target.
func (m Mount) move(f *os.File, err error) error {
	if err != nil {
		return err
	}
	defer f.Close()
	err = unix.MoveMount(int(f.Fd()), "", unix.AT_FDCWD, m.Target, unix.MOVE_MOUNT_F_EMPTY_PATH)
	return os.NewSyscallError("move_mount", err)
}

// explain adds what the kernel has to say: a file system context can be read for messages like
// "e overlay: upper fs does not support tmpfile".
func explain(fsctx *os.File, err error) error {
	buf := make([]byte, 4096)
	for {
		n, rerr := unix.Read(int(fsctx.Fd()), buf)
		if rerr != nil || n == 0 {
			return err
		}
		err = fmt.Errorf("%w (%s)", err, strings.TrimSpace(strings.TrimLeft(string(buf[:n]), "ewi ")))
	}
}

// legacy mounts with mount(2), whose options must fit one page. So the names are short and relative, and a thread with a
// working directory of its own (unshare(2), CLONE_FS) makes the call. The thread stays locked, and ends with its goroutine.
func (m Mount) legacy() error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- func() error {
			if err := unix.Unshare(unix.CLONE_FS); err != nil {
				return os.NewSyscallError("unshare", err)
			}
			if err := unix.Chdir(m.Dir); err != nil {
				return &os.PathError{Op: "chdir", Path: m.Dir, Err: err}
			}
			flags := uintptr(0)
			if m.readOnly() {
				flags = unix.MS_RDONLY
			}
			data := strings.TrimSuffix(m.data(), ",ro") // to mount(2), "ro" is a flag
			return os.NewSyscallError("mount", unix.Mount("overlay", m.Target, "overlay", flags, data))
		}()
	}()
	return <-done
}

// data is the option string of a command. Its names are relative, and made by this package: none needs escaping.
func (m Mount) data() string {
	opts := []string{"lowerdir=" + strings.Join(m.Lower, ":")}
	if m.Upper != "" {
		opts = append(opts, "upperdir="+m.Upper, "workdir="+m.Work)
	}
	return strings.Join(append(opts, m.Options...), ",")
}

func (m Mount) readOnly() bool { return slices.Contains(m.Options, "ro") }

// verify asks the kernel what is at Target.
func (m Mount) verify() error {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, m.Target, 0, 0, &st); err != nil {
		return &os.PathError{Op: "statx", Path: m.Target, Err: err}
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(m.Target, &fs); err != nil {
		return &os.PathError{Op: "statfs", Path: m.Target, Err: err}
	}
	switch {
	case st.Attributes&unix.STATX_ATTR_MOUNT_ROOT == 0: // since Linux 5.8
		return fmt.Errorf("mount %s on %q: nothing is mounted there afterwards", m.Type, m.Target)
	case m.Type == "overlay" && fs.Type != unix.OVERLAYFS_SUPER_MAGIC:
		return fmt.Errorf("mount %s on %q: the file system there has the type %#x", m.Type, m.Target, fs.Type)
	case m.readOnly() && fs.Flags&unix.ST_RDONLY == 0:
		return fmt.Errorf("mount %s on %q: it is writable", m.Type, m.Target)
	}
	return nil
}

// quote makes one shell word of s.
func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:,@%") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
