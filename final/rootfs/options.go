package rootfs

import (
	"strings"

	"golang.org/x/sys/unix"
)

// toggles are the words that set or clear one flag (mount(8),
// "FILESYSTEM-INDEPENDENT MOUNT OPTIONS"; config.md of the OCI runtime
// specification, "Linux mount options"): for mount(2), and for
// mount_setattr(2), if a mount has it for itself.
var toggles = []struct {
	on, off string
	flag    uintptr // MS_…
	attr    uint64  // MOUNT_ATTR_…
}{
	{"ro", "rw", unix.MS_RDONLY, unix.MOUNT_ATTR_RDONLY},
	{"nosuid", "suid", unix.MS_NOSUID, unix.MOUNT_ATTR_NOSUID},
	{"nodev", "dev", unix.MS_NODEV, unix.MOUNT_ATTR_NODEV},
	{"noexec", "exec", unix.MS_NOEXEC, unix.MOUNT_ATTR_NOEXEC},
	{"nosymfollow", "symfollow", unix.MS_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW}, // since Linux 5.14
	{"nodiratime", "diratime", unix.MS_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME},
	{"noatime", "atime", unix.MS_NOATIME, unix.MOUNT_ATTR_NOATIME},
	{"relatime", "norelatime", unix.MS_RELATIME, unix.MOUNT_ATTR_RELATIME},
	{"strictatime", "nostrictatime", unix.MS_STRICTATIME, unix.MOUNT_ATTR_STRICTATIME},
	{"sync", "async", unix.MS_SYNCHRONOUS, 0},
	{"dirsync", "", unix.MS_DIRSYNC, 0},
	{"iversion", "noiversion", unix.MS_I_VERSION, 0},
	{"silent", "loud", unix.MS_SILENT, 0},
	{"remount", "", unix.MS_REMOUNT, 0},
	{"bind", "", unix.MS_BIND, 0},
	{"rbind", "", unix.MS_BIND | unix.MS_REC, 0},
	{"defaults", "", 0, 0},
}

// recursive are the options that reach the mounts below a bind mount too
// (mount_setattr(2), AT_RECURSIVE), by runc's names.
var recursive = map[string]uint64{
	"rro":     unix.MOUNT_ATTR_RDONLY,
	"rnosuid": unix.MOUNT_ATTR_NOSUID,
	"rnodev":  unix.MOUNT_ATTR_NODEV,
	"rnoexec": unix.MOUNT_ATTR_NOEXEC,
}

// options is a list of words in the terms of the system calls.
type options struct {
	flags uintptr        // for mount(2)
	own   unix.MountAttr // for a bind, what to set and to clear
	below uint64         // what to set in the whole tree
	modes []string       // of propagation, in their order
	data  []string       // what only the file system knows: "mode=755", "size=64m"
	tree  []string       // the words for below, without their "r"
	rest  []string       // all words but those for modes, below and "bind"
}

func (o *options) is(flag uintptr) bool { return o.flags&flag == flag }

// parse sorts words by what they are for. Like mount(8), it hands a word that
// it does not know to the file system.
func parse(words []string) *options {
	o := new(options)
	for _, word := range words {
		switch {
		case isMode(word):
			o.modes = append(o.modes, word)
		case recursive[word] != 0:
			o.below |= recursive[word]
			o.tree = append(o.tree, word[1:])
		case word == "bind" || word == "rbind":
			o.toggle(word)
		default:
			if !o.toggle(word) {
				o.data = append(o.data, word)
			}
			o.rest = append(o.rest, word)
		}
	}
	return o
}

func (o *options) toggle(word string) bool {
	for _, t := range toggles {
		if word != t.on && word != t.off {
			continue
		}
		if t.flag&(unix.MS_NOATIME|unix.MS_RELATIME|unix.MS_STRICTATIME) != 0 { // one of three, and not three bits
			o.own.Attr_set &^= unix.MOUNT_ATTR__ATIME
			o.own.Attr_clr |= unix.MOUNT_ATTR__ATIME
		}
		if word == t.on {
			o.flags |= t.flag
			o.own.Attr_set |= t.attr
			return true
		}
		o.flags &^= t.flag
		o.own.Attr_set &^= t.attr
		o.own.Attr_clr |= t.attr
		return true
	}
	return false
}

// isMode tells whether a word is a propagation: see [namespaces.Propagation].
func isMode(word string) bool {
	switch strings.TrimPrefix(word, "r") {
	case "private", "slave", "shared", "unbindable":
		return true
	}
	return false
}
