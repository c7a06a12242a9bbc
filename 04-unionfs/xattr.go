package unionfs

import (
	"errors"
	"maps"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// paxXattr begins the names of PAX records that hold extended attributes.
const paxXattr = "SCHILY.xattr."

// foreign reports whether an attribute is no part of a layer's content: SELinux labels are the host's, and overlay's own would let an
// archive decide what is seen of the layers below (opaque, redirect).
func foreign(key string) bool {
	return strings.HasPrefix(key, "trusted.overlay.") || strings.HasPrefix(key, "user.overlay.") || key == "security.selinux"
}

// xattrs reads the extended attributes of a file; a symbolic link is not followed. No file has none.
func xattrs(file string) (map[string]string, error) {
	if file == "" {
		return nil, nil
	}
	var list, value [64 << 10]byte // XATTR_LIST_MAX, XATTR_SIZE_MAX: xattr(7)
	n, err := unix.Llistxattr(file, list[:])
	if errors.Is(err, unix.ENOTSUP) || n == 0 && err == nil {
		return nil, nil
	}
	if err != nil {
		return nil, &os.PathError{Op: "llistxattr", Path: file, Err: err}
	}
	all := map[string]string{}
	for key := range strings.SplitSeq(strings.TrimRight(string(list[:n]), "\x00"), "\x00") {
		if foreign(key) {
			continue
		}
		n, err := unix.Lgetxattr(file, key, value[:])
		if err != nil {
			return nil, &os.PathError{Op: "lgetxattr " + key, Path: file, Err: err}
		}
		all[key] = string(value[:n])
	}
	return all, nil
}

func sameXattrs(a, b string) bool {
	x, xerr := xattrs(a)
	y, yerr := xattrs(b)
	return xerr == nil && yerr == nil && maps.Equal(x, y)
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
