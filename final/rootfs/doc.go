// Package rootfs puts into a container's tree what its image cannot have: mounts, device nodes, and the links of /dev.
//
// It is where two chapters meet. The tree was filled by whoever made the image, and every name in it is hostile: a
// /proc that is a symbolic link to /etc must not get a file system mounted on the host's /etc. So a place is opened as
// chapter 1 does it (openat2(2), RESOLVE_IN_ROOT), and what is then mounted on is the descriptor. And because the mount
// namespace is the container's own (chapter 2), nothing of this is seen on the host, and nothing has to be undone.
//
//	name in the image      /proc/self/fd/N                        mount(2)
//	/etc/resolv.conf ────▶ …/rootfs/run/stub/resolv.conf, held ──▶ on exactly this, whatever becomes of the name
//
// A place that is missing is made: the directories on the way, and at the end a directory or an empty file.
//
// # What is not guaranteed
//
// Two calls for one name may meet two places, if somebody exchanges directories in the tree in between. Both are inside
// it. (A container's tree has no process in it yet.)
package rootfs

import "embed"

// Source is this package's own source, for explain.
//
//go:embed *.go
var Source embed.FS
