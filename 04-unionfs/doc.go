// Package unionfs keeps the layers of images and containers, and shows a stack of them as one tree.
//
//	what the container sees     /bin/sh   /etc/hosts  /etc/motd
//	                               ▲           ▲          ▲
//	its own layer    (upper)       │        etc/hosts     │         written by the container
//	image layer 2    (lower)    bin/sh         │          │      ✗ tmp/log      a whiteout
//	image layer 1    (lower)    bin/sh      etc/hosts  etc/motd    tmp/log
//
// The topmost layer that has a name wins. The layers of an image never change, so any number of containers share
// them; a container starts with an empty layer of its own, whatever the size of the image.
//
// # Vocabulary
//
// A layer is the difference between two trees: a tar archive on its way, a directory here. Its parent is the layer that
// it was made on top of. To apply a layer is to unpack its archive; to fork one is to put a writable layer on
// top of it. A whiteout says that a name of the layers below is gone, an opaque directory that all that they have in
// it is. To copy up is to copy a file into the writable layer before it is written to.
//
// A driver is one way to keep layers. The union drivers, overlay and fuse-overlayfs, keep just the difference, and merge when the
// stack is mounted. The whole-tree drivers, btrfs, devicemapper and vfs, keep the finished tree in each layer and share blocks,
// or nothing. One test suite holds them all to the same behaviour.
//
//	Open ──► Apply(base) ──► Apply(…, on base) ──► Fork(box, on …) ──► Mount(box).Do ──► … ──► Undo ──► Remove(box)
//	                                                                         └► Changes, Diff ──► Apply(a new image)
//
// # Not guaranteed
//
// A layer is complete or not there after a crash of this process. After a crash of the machine it may be there
// with files whose content never reached the disk: nothing here calls sync(2).
//
// What POSIX says and overlay does not do is not repaired: a file opened for reading before it is copied up shows the old
// content, hard links break when one of the names is copied up, and renaming a directory of a lower layer fails with EXDEV.
//
// Diff and Changes of a layer that is being written to see some of the writes. Device nodes in an archive are made as
// it says; it is the container's cgroup that keeps them closed. Nothing limits how much an archive unpacks to, except that no
// file may be larger than the disk.
package unionfs

import "embed"

// Source is this package's own source, for explain.
//
//go:embed *.go
var Source embed.FS
