package main

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
)

// mountDemo: a file system that is mounted inside is not there outside.
var mountDemo = demo{
	kind:  namespaces.Mnt,
	clone: []namespaces.Kind{namespaces.Mnt},
	steps: func(string) []namespaces.Step {
		return []namespaces.Step{
			namespaces.Propagation{Target: "/", Mode: "rprivate"},
			mount{"demo", os.TempDir(), "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "size=1m"},
		}
	},
	facts: func(where) []fact {
		mounts, err := os.ReadFile("/proc/self/mountinfo")
		return []fact{
			{"mounts", or(fmt.Sprint(strings.Count(string(mounts), "\n")), err)},
			{"file system at " + os.TempDir(), fileSystem(os.TempDir())},
			{"propagation of /", propagation(string(mounts))},
		}
	},
}

// mount is the step of one call of mount(2).
type mount struct {
	source, target, kind string
	flags                uintptr
	data                 string
}

// proc is what shows the PID namespace of whoever mounts it.
var proc = mount{"proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""}

func (m mount) Do() error {
	if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
		return &os.PathError{Op: "mount", Path: m.target, Err: err}
	}
	return nil
}

func (m mount) String() string {
	return fmt.Sprintf("mount -t %s %s %s", cmp.Or(m.kind, "none"), cmp.Or(m.source, "none"), m.target)
}
