package namespaces

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Kind is one of the eight kinds of namespace, by the name that an OCI
// config.json uses.
type Kind string

// The kinds, in the order in which clone(2) makes them.
const (
	User   Kind = "user"
	Mnt    Kind = "mount"
	UTS    Kind = "uts"
	IPC    Kind = "ipc"
	PID    Kind = "pid"
	Cgroup Kind = "cgroup"
	Net    Kind = "network"
	Time   Kind = "time"
)

// Kinds lists all eight.
var Kinds = []Kind{User, Mnt, UTS, IPC, PID, Cgroup, Net, Time}

var kinds = map[Kind]struct {
	flag uintptr
	proc string // the name in /proc/PID/ns
	long string // the option of unshare(1) and nsenter(1)
}{
	User:   {unix.CLONE_NEWUSER, "user", "--user"},
	Mnt:    {unix.CLONE_NEWNS, "mnt", "--mount"}, // the first kind; nobody thought of more
	UTS:    {unix.CLONE_NEWUTS, "uts", "--uts"},
	IPC:    {unix.CLONE_NEWIPC, "ipc", "--ipc"},
	PID:    {unix.CLONE_NEWPID, "pid", "--pid"},
	Cgroup: {unix.CLONE_NEWCGROUP, "cgroup", "--cgroup"},
	Net:    {unix.CLONE_NEWNET, "net", "--net"},
	Time:   {unix.CLONE_NEWTIME, "time", "--time"},
}

// Flag is the kind's CLONE_NEW… bit, or 0 if k is not a kind.
func (k Kind) Flag() uintptr { return kinds[k].flag }

// ProcName is the kind's name in /proc/PID/ns: "mnt" for the mount namespace.
func (k Kind) ProcName() string { return kinds[k].proc }

// forChildren names, in /proc/PID/ns, the namespace in which the process's next
// child will be. It is another for the two kinds that no running process changes.
func (k Kind) forChildren() string {
	if k == PID || k == Time {
		return k.ProcName() + "_for_children"
	}
	return k.ProcName()
}

// ID returns the inode number of the namespace of kind k in which the process
// pid is: two processes share a namespace exactly if the numbers are equal.
// pid 0 is the calling thread. Errors are *os.PathError.
func ID(pid int, k Kind) (uint64, error) {
	task := "thread-self" // not "self": that is the process's first thread
	if pid != 0 {
		task = fmt.Sprint(pid)
	}
	return inode(fmt.Sprintf("/proc/%s/ns/%s", task, k.ProcName()))
}

func inode(path string) (uint64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Sys().(*syscall.Stat_t).Ino, nil
}
