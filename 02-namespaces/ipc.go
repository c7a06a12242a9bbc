package namespaces

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SystemVQueue makes a System V message queue, one of the three kinds of
// object (with semaphores and shared memory) that are named by a number in
// an IPC namespace. Two programs that happen to choose the same key meet,
// unless they are in different namespaces.
//
// Man page: msgget(2), ipc_namespaces(7)
type SystemVQueue struct {
	Key uint32
}

// Do makes the queue; it is an error (EEXIST) if there is one.
func (q SystemVQueue) Do() error {
	_, err := q.get(unix.IPC_CREAT | unix.IPC_EXCL | 0o600)
	return os.NewSyscallError("msgget", err)
}

// Exists reports whether the caller's namespace has the queue.
func (q SystemVQueue) Exists() bool {
	_, err := q.get(0)
	return err == nil
}

// Undo removes the queue and the messages in it.
func (q SystemVQueue) Undo() error {
	id, err := q.get(0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err == nil {
		_, err = call(unix.SYS_MSGCTL, id, unix.IPC_RMID, 0)
	}
	return os.NewSyscallError("msgctl", err)
}

func (q SystemVQueue) get(flags uintptr) (uintptr, error) {
	return call(unix.SYS_MSGGET, uintptr(q.Key), flags, 0)
}

// String is ipcmk(1), which chooses the key itself.
func (q SystemVQueue) String() string { return "ipcmk --queue" }

// PosixQueue makes a POSIX message queue, which has a name like a file's and
// is a file, in the file system mqueue; but the names are an IPC namespace's.
//
// Man page: mq_open(3), mq_overview(7), ipc_namespaces(7)
type PosixQueue struct {
	Name string // without a slash
}

// Do makes the queue; it is an error (EEXIST) if there is one.
func (q PosixQueue) Do() error { return pathError("mq_open", q.Name, q.open(unix.O_CREAT|unix.O_EXCL)) }

// Exists reports whether the caller's namespace has the queue.
func (q PosixQueue) Exists() bool { return q.open(unix.O_RDONLY) == nil }

// Undo removes the queue.
func (q PosixQueue) Undo() error {
	name, err := unix.BytePtrFromString(q.Name)
	if err != nil {
		return err
	}
	_, err = call(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(name)), 0, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return pathError("mq_unlink", q.Name, err)
}

func (q PosixQueue) open(flags int) error {
	name, err := unix.BytePtrFromString(q.Name)
	if err != nil {
		return err
	}
	fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(name)),
		uintptr(flags|unix.O_CLOEXEC), 0o600, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return unix.Close(int(fd))
}

// String is touch(1), where mqueue is mounted on its usual place.
func (q PosixQueue) String() string { return "touch " + quote("/dev/mqueue/"+q.Name) }

func call(number, a, b, c uintptr) (uintptr, error) {
	r, _, errno := unix.Syscall(number, a, b, c)
	if errno != 0 {
		return 0, errno
	}
	return r, nil
}
