package network

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Namespace makes a new network namespace and keeps it alive by a bind mount on
// the file Path, so that cables can be plugged in before the container's first
// process exists, and so that the process has a door to join by. A container
// needs one to have ports, addresses and a firewall of its own.
//
// Path must not exist yet: EEXIST otherwise. Its directory is made if missing.
//
// Man page: network_namespaces(7), unshare(2), mount(2)
type Namespace struct {
	Path string // such as /run/cutaway/netns/ID
}

// Do creates the namespace in a thread of its own, and verifies that Path
// is a namespace other than the caller's.
func (n Namespace) Do() error {
	if err := os.MkdirAll(filepath.Dir(n.Path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(n.Path, os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	f.Close()
	if err := n.pin(); err != nil {
		return errors.Join(err, os.Remove(n.Path))
	}
	return n.verify()
}

// pin unshares on a thread that ends with this call; the bind mount is what
// keeps the namespace.
func (n Namespace) pin() error {
	return onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("unshare network namespace", err)
		}
		// Not /proc/self: that is the first thread, which has not moved.
		err := unix.Mount("/proc/thread-self/ns/net", n.Path, "", unix.MS_BIND, "")
		if err != nil {
			return &os.PathError{Op: "bind-mount network namespace on", Path: n.Path, Err: err}
		}
		return nil
	})
}

func (n Namespace) verify() error {
	var own, made unix.Stat_t
	err := errors.Join(unix.Stat("/proc/thread-self/ns/net", &own), unix.Stat(n.Path, &made))
	if err != nil {
		return fmt.Errorf("read back network namespace %q: %w", n.Path, err)
	}
	if made.Dev != own.Dev || made.Ino == own.Ino {
		return fmt.Errorf("create network namespace %q: not a new namespace after mount", n.Path)
	}
	return nil
}

// String returns the command that does the same.
func (n Namespace) String() string {
	return fmt.Sprintf("mkdir -p %s && touch %s && unshare --net=%s true",
		quote(filepath.Dir(n.Path)), quote(n.Path), quote(n.Path))
}

// Undo unmounts and removes Path. The namespace, with every link in it, ends
// with its last process.
func (n Namespace) Undo() error {
	// EINVAL: not a mount point, see umount2(2).
	err := unix.Unmount(n.Path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return &os.PathError{Op: "unmount", Path: n.Path, Err: err}
	}
	if err := os.Remove(n.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Inside runs fn on a thread that has joined the network namespace at path.
// Sockets that fn opens stay in that namespace wherever they are used later.
// fn must not start goroutines that count on it: they run on other threads.
func Inside(path string, fn func() error) error {
	return onThread(func() error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			return &os.PathError{Op: "join network namespace", Path: path, Err: err}
		}
		return fn()
	})
}

// onThread runs fn on a thread of its own. The goroutine stays locked to it to
// its end, so the Go runtime ends the thread too instead of giving a thread in
// a foreign namespace to another goroutine.
//
// What if it is the process's first thread? The runtime never ends that one: it
// would sleep on in the foreign namespace, keep it alive, and show it to all
// the world as /proc/PID/ns/net. So we hold it, and go to another.
func onThread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			defer runtime.UnlockOSThread()
			done <- onThread(fn)
			return
		}
		done <- fn()
	}()
	return <-done
}

// rtnetlink opens a NETLINK_ROUTE socket in the namespace at path, "" for the
// caller's own. The caller closes it.
func rtnetlink(path string) (h *netlink.Handle, err error) {
	open := func() error {
		h, err = netlink.NewHandle(unix.NETLINK_ROUTE)
		return os.NewSyscallError("open netlink socket", err)
	}
	if path == "" {
		return h, open()
	}
	err = Inside(path, open)
	return h, err
}
