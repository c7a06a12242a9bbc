package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// words is a small file on one line, with single spaces.
func words(path string) string {
	text, err := os.ReadFile(path)
	return or(strings.Join(strings.Fields(string(text)), " "), err)
}

// status is the value of a key in /proc/self/status.
func status(key string) string {
	text, err := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); name == key {
			return strings.TrimSpace(value)
		}
	}
	return or("?", err)
}

func hostname() string {
	name, err := os.Hostname()
	return or(name, err)
}

// owner is the user that a file belongs to, in the numbers of this namespace.
func owner(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(info.Sys().(*syscall.Stat_t).Uid)
}

// may tells of something that was tried.
func may(err error) string {
	var errno syscall.Errno
	switch {
	case err == nil:
		return "yes"
	case errors.As(err, &errno):
		return "no: " + errno.Error()
	}
	return "no: " + err.Error()
}

// read tries to open a file.
func read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// mknod tries to make /dev/null a second time, and removes it.
func mknod() error {
	dir, err := os.MkdirTemp("", "ns-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return unix.Mknod(dir+"/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3)))
}

// fileSystem is the type of what is mounted at a directory.
func fileSystem(dir string) string {
	var st unix.Statfs_t
	err := unix.Statfs(dir, &st)
	names := map[int64]string{
		unix.TMPFS_MAGIC: "tmpfs", unix.EXT4_SUPER_MAGIC: "ext4", unix.BTRFS_SUPER_MAGIC: "btrfs",
		unix.XFS_SUPER_MAGIC: "xfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay",
	}
	if name, ok := names[st.Type]; ok {
		return name
	}
	return or(fmt.Sprintf("%#x", st.Type), err)
}

// propagation is the mode of "/", which mountinfo has between the options and
// the "-" (proc_pid_mountinfo(5)):
//
//	27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
func propagation(mountinfo string) string {
	mode := "?"
	for line := range strings.Lines(mountinfo) {
		left, _, _ := strings.Cut(line, " - ")
		f := strings.Fields(left)
		if len(f) > 5 && f[4] == "/" {
			mode = strings.Join(f[6:], " ")
		}
	}
	if mode == "" {
		return "private"
	}
	return mode
}

func clock(id int32) string {
	var t unix.Timespec
	err := unix.ClockGettime(id, &t)
	d := time.Duration(t.Nano())
	return or(fmt.Sprintf("%d days %v", d/(24*time.Hour), (d%(24*time.Hour)).Truncate(time.Minute)), err)
}
