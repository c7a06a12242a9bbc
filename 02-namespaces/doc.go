// Package namespaces changes what a process can see.
//
// A namespace is the kernel's copy of one global thing, shared by the
// processes that are members. Every process is a member of exactly one
// namespace of each of eight kinds:
//
//	kind     what is a process's own             file here        since Linux
//	mount    the tree of mounts                  propagation.go   2.4.19
//	uts      hostname, domain name               uts.go           2.6.19
//	ipc      System V IPC, POSIX queues          cmd/ns/ipc.go    2.6.19
//	pid      process numbers, PID 1              pid.go           2.6.24
//	net      interfaces, routes, ports           net.go           2.6.29
//	user     user and group numbers, privilege   user.go          3.8
//	cgroup   the root of the cgroup tree         cgroup.go        4.6
//	time     the boot and monotonic clocks       time.go          5.6
//
// Three system calls change membership, and each is here once:
//
//	          ┌──────────────┐  clone(2)    a child is born in new ones   Clone
//	process ──┤ /proc/PID/ns ├─ unshare(2)  the caller moves to new ones  Unshare
//	          └──────────────┘  setns(2)    the caller joins another's    Join
//
// # Vocabulary
//
// A step is a plain struct whose Do changes the kernel and then reads back
// what it changed; its String is the shell command that does the same. A
// namespace is named by a file (/proc/PID/ns/net, or a bind mount of one) and
// known by that file's inode number, its [ID].
//
// # What is not guaranteed
//
// A namespace hides; it does not limit (cgroups do) and, but for the user
// namespace, does not take privilege away. Root in all other new namespaces is
// still root of the host. Keys, most of /proc/sys, kernel modules, the wall
// clock and the kernel log belong to no namespace.
//
// # Threads
//
// unshare and setns act on one thread, and Go moves goroutines between
// threads. Call steps on a goroutine that is locked with
// [runtime.LockOSThread] and never unlocked, so that the runtime ends the
// thread together with the goroutine; or in a process that soon calls execve.
package namespaces

import "embed"

// Source is this package's own source, for explain.
//
//go:embed *.go
var Source embed.FS
