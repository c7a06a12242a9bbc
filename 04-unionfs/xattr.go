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
	for _, own := range []string{"trusted.overlay.", "user.overlay.", "user.fuseoverlayfs."} {
		if strings.HasPrefix(key, own) {
			return true
		}
	}
	return key == "security.selinux"
}

// xattrs reads the extended attributes of a file; a symbolic link is not followed. No file has none.
func xattrs(file string) (map[string]string, error) {
	if file == "" {
		return nil, nil
	}
	n, err := unix.Llistxattr(file, nil)
	if errors.Is(err, unix.ENOTSUP) || n == 0 && err == nil {
		return nil, nil
	}
	list, value := make([]byte, max(n, 0)), make([]byte, 64<<10) // XATTR_SIZE_MAX: xattr(7)
	if err == nil {
		n, err = unix.Llistxattr(file, list)
	}
	if err != nil {
		return nil, &os.PathError{Op: "llistxattr", Path: file, Err: err}
	}
	all := map[string]string{}
	for key := range strings.SplitSeq(strings.TrimRight(string(list[:n]), "\x00"), "\x00") {
		if key == "" || foreign(key) { // overlay counts its own in the size, and does not list them
			continue
		}
		n, err := unix.Lgetxattr(file, key, value)
		if err != nil {
			return nil, &os.PathError{Op: "lgetxattr " + key, Path: file, Err: err}
		}
		all[key] = string(value[:n])
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
