package unionfs

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// private reports whether an attribute belongs to the host or to overlay itself, and not to the layer's content. An archive
// that could set overlay's would decide what is seen below (redirect) or that nothing is (opaque).
func private(key string) bool {
	return strings.HasPrefix(key, "trusted.overlay.") || strings.HasPrefix(key, "user.overlay.") || key == "security.selinux"
}

// xattrs reads the extended attributes of name that belong to its layer. Symbolic links are not followed.
func xattrs(name string) (map[string]string, error) {
	size, err := unix.Llistxattr(name, nil)
	if errors.Is(err, unix.ENOTSUP) || err == nil && size == 0 {
		return nil, nil
	}
	list := make([]byte, max(size, 0))
	if err == nil {
		size, err = unix.Llistxattr(name, list)
	}
	if err != nil {
		return nil, &os.PathError{Op: "llistxattr", Path: name, Err: err}
	}
	all := map[string]string{}
	for key := range strings.SplitSeq(strings.TrimRight(string(list[:size]), "\x00"), "\x00") {
		if private(key) {
			continue
		}
		value := make([]byte, 64<<10) // XATTR_SIZE_MAX
		n, err := unix.Lgetxattr(name, key, value)
		if err != nil {
			return nil, &os.PathError{Op: "lgetxattr " + key, Path: name, Err: err}
		}
		all[key] = string(value[:n])
	}
	return all, nil
}

// setXattr sets one attribute. A file system that cannot hold it is no error, as in Docker; nor is an attribute that only the
// machine's root may set, for root of a user namespace.
func setXattr(name, key, value string) error {
	err := unix.Lsetxattr(name, key, []byte(value), 0)
	if err == nil || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) && inUserNamespace() {
		return nil
	}
	return &os.PathError{Op: "lsetxattr " + key, Path: name, Err: err}
}

func copyXattrs(from, to string) error {
	all, err := xattrs(from)
	for key, value := range all {
		err = errors.Join(err, setXattr(to, key, value))
	}
	return err
}
