package main

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
)

// ipcDemo: queues that were made outside are absent inside.
var ipcDemo = demo{
	kind:  namespaces.IPC,
	clone: []namespaces.Kind{namespaces.IPC},
	setup: func(id string) (func() error, error) {
		v, posix := queues(id)
		if err := errors.Join(v.Do(), posix.Do()); err != nil {
			return nil, errors.Join(err, v.Undo(), posix.Undo())
		}
		return func() error { return errors.Join(v.Undo(), posix.Undo()) }, nil
	},
	facts: func(w where) []fact {
		v, posix := queues(w.id)
		return []fact{
			{"System V queue is there", fmt.Sprint(v.Exists())},
			{"POSIX queue is there", fmt.Sprint(posix.Exists())},
		}
	},
}

func queues(id string) (systemVQueue, posixQueue) {
	key := crc32.ChecksumIEEE([]byte(id)) | 1 // 0 is IPC_PRIVATE
	return systemVQueue{key: key}, posixQueue{name: id}
}

// systemVQueue makes a System V message queue, one of the three kinds of
// object (with semaphores and shared memory) that are named by a number in
// an IPC namespace. Two programs that happen to choose the same key meet,
// unless they are in different namespaces.
//
// Man page: msgget(2), ipc_namespaces(7)
type systemVQueue struct {
	key uint32
}

// Do makes the queue; it is an error (EEXIST) if there is one.
func (q systemVQueue) Do() error {
	_, err := q.get(unix.IPC_CREAT | unix.IPC_EXCL | 0o600)
	return os.NewSyscallError("msgget", err)
}

// Exists reports whether the caller's namespace has the queue.
func (q systemVQueue) Exists() bool {
	_, err := q.get(0)
	return err == nil
}

// Undo removes the queue and the messages in it.
func (q systemVQueue) Undo() error {
	id, err := q.get(0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err == nil {
		err = errnoOf(unix.Syscall(unix.SYS_MSGCTL, id, unix.IPC_RMID, 0))
	}
	return os.NewSyscallError("msgctl", err)
}

func (q systemVQueue) get(flags uintptr) (uintptr, error) {
	id, _, errno := unix.Syscall(unix.SYS_MSGGET, uintptr(q.key), flags, 0)
	return id, errnoOf(id, 0, errno)
}

// posixQueue makes a POSIX message queue, which has a name like a file's and
// is a file, in the file system mqueue; but the names are an IPC namespace's.
//
// Man page: mq_open(3), mq_overview(7), ipc_namespaces(7)
type posixQueue struct {
	name string // without a slash
}

// Do makes the queue; it is an error (EEXIST) if there is one.
func (q posixQueue) Do() error {
	return os.NewSyscallError("mq_open", q.open(unix.O_CREAT|unix.O_EXCL))
}

// Exists reports whether the caller's namespace has the queue.
func (q posixQueue) Exists() bool { return q.open(unix.O_RDONLY) == nil }

// Undo removes the queue.
func (q posixQueue) Undo() error {
	name, err := unix.BytePtrFromString(q.name)
	if err != nil {
		return err
	}
	err = errnoOf(unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(name)), 0, 0))
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return os.NewSyscallError("mq_unlink", err)
}

func (q posixQueue) open(flags int) error {
	name, err := unix.BytePtrFromString(q.name)
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

// errnoOf is the error of a system call, nil if there was none.
func errnoOf(_, _ uintptr, errno unix.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}
