// Package cgroups limits and counts what a container uses.
//
// A control group is a directory in a file system that the kernel keeps. Making
// a directory makes a group; its files are the limits and the counters; writing
// a process's number to cgroup.procs puts the process in, and with it all the
// children that it will have. So a limit belongs to a group, never to a process,
// and no child escapes it.
//
//	          v2: one tree                        v1: a tree for each controller
//
//	/sys/fs/cgroup                        /sys/fs/cgroup/memory    /sys/fs/cgroup/pids
//	├── cgroup.subtree_control            ├── cutaway              ├── cutaway
//	│   "memory pids": Delegate           │   └── 4f2a             │   └── 4f2a
//	└── cutaway                           │       memory.limit_in_bytes    pids.max
//	    ├── cgroup.subtree_control        │       cgroup.procs             cgroup.procs
//	    └── 4f2a
//	        memory.max  pids.max
//	        cgroup.procs
//
// # From limits to a limited process
//
//	Detect → System.Steps → Create, Delegate or Inherit, Set …, Devices   on the host
//	         System.Join  → Join                                          in the container's process
//	         Create.Group → Group: Stats, Watch, Freeze, Kill             while it runs
//	         Create.Undo                                                  at the end
//
// [Limits] says what is wanted, in Docker's words. One table (limits.go)
// translates it into the files of v2 and of v1; everything after it is
// "write this value to that file" ([Set]), and reading it back.
//
// # Vocabulary
//
// A hierarchy is one mounted tree. A controller is the part of the kernel that
// limits one thing: memory, cpu, cpuset, io (v1: blkio), pids, hugetlb, devices.
// A system is v2 (one hierarchy for all), v1 (one for each, or for two), or
// hybrid (v1, and beside it a v2 without the controllers that v1 has). The base
// is where in a hierarchy we may make groups; a group is named by its path below.
// To delegate is to pass a controller on to the children.
//
// # Not guaranteed
//
// Statistics are not of one instant. Processes in PID namespaces that are not
// below ours are not listed by Procs; on v2 (since Linux 5.14) Kill reaches them
// all the same. Freeze on a hybrid system is v1's, of which [Group.Watch] tells
// nothing. Nothing here hides a group: that is the cgroup namespace's task
// (chapter 2). With systemd, groups at the top of the tree are beside its slices,
// as with Docker's cgroupfs driver; systemd leaves them alone, but does not know
// of them.
package cgroups

import "embed"

// Source is this package's own source, for explain.
//
//go:embed *.go
var Source embed.FS
