package unionfs

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// paxXattr begins the names of PAX records that hold extended attributes.
const paxXattr = "SCHILY.xattr."

// foreign reports whether an attribute is no part of a layer's content: SELinux labels are the host's, and overlay's own would let an
// archive decide what is seen of the layers below (opaque, redirect), as would fuse-overlayfs's.
func foreign(key string) bool {
	return strings.HasPrefix(key, "trusted.overlay.") || strings.HasPrefix(key, "user.overlay.") ||
		strings.HasPrefix(key, "user.fuseoverlayfs.") || key == "security.selinux"
}

// xattrs reads the extended attributes of a file as PAX records; a symbolic link is not followed. No file has none.
func xattrs(file string) (map[string]string, error) {
	buf := make([]byte, 64<<10) // XATTR_LIST_MAX and XATTR_SIZE_MAX: xattr(7)
	n, err := unix.Llistxattr(file, buf)
	if file == "" || errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, &os.PathError{Op: "llistxattr", Path: file, Err: err}
	}
	var all map[string]string
	for key := range strings.SplitSeq(string(buf[:n]), "\x00") {
		if key == "" || foreign(key) {
			continue
		}
		if n, err = unix.Lgetxattr(file, key, buf); err != nil {
			return nil, &os.PathError{Op: "lgetxattr " + key, Path: file, Err: err}
		}
		if all == nil {
			all = map[string]string{}
		}
		all[paxXattr+key] = string(buf[:n])
	}
	return all, nil
}

// setXattr sets an attribute. One that the file system cannot hold is left out, as Docker does; so is one that only
// the machine's own root may set, for root of a user namespace.
func setXattr(file, key, value string) error {
	err := unix.Lsetxattr(file, key, []byte(value), 0)
	if err == nil || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) && inUserNamespace() {
		return nil
	}
	return &os.PathError{Op: "lsetxattr " + key, Path: file, Err: err}
}
