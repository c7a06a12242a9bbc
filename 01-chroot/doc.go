// Package chroot changes what the name "/" means to a process, in two ways.
//
// The kernel starts every absolute path at a directory that is kept for each
// process, its root. Two system calls change it:
//
//	chroot(2)       moves the process's root; the mount tree stays as it was.
//	pivot_root(2)   moves the mount tree: another mount becomes its top, and
//	                the old top can be unmounted.
//
//	before              after Chroot{"/jail"}        after Pivot{"/jail"}
//
//	/        ← root     /                            (old tree: detached,
//	├── etc             ├── etc                       no name leads to it)
//	├── home            ├── home
//	└── jail            └── jail     ← root          /        ← root
//	    ├── bin             ├── bin                  ├── bin
//	    └── etc             └── etc                  └── etc
//
// # Vocabulary
//
// Root is the directory at which absolute paths start and above which ".."
// does not lead. A jail is a process whose root was moved. A mount point is a
// directory where a file system is attached. The mount tree is all mounts of a
// mount namespace; pivot_root exchanges its top.
//
// # What is not guaranteed
//
// Chroot is a way to resolve names, not a boundary: a process with
// CAP_SYS_CHROOT leaves it at will, and Escapes holds the four classic ways.
// Pivot leaves no old tree to return to in the process's own mount namespace,
// but it hides names only: the host's processes, its network and its kernel
// are still shared, and a descriptor opened before it still points outside.
// Namespaces, capabilities and a closed descriptor table do the rest.
//
// Both calls act on the calling thread; run them on a goroutine that is locked
// with [runtime.LockOSThread], or in a process that soon calls execve(2).
package chroot

import "embed"

// Source is this package's own source, for explain.
//
//go:embed *.go
var Source embed.FS
