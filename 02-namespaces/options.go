package namespaces

import (
	"strings"

	"golang.org/x/sys/unix"
)

// toggles are the words that set or clear one flag of mount(2) (mount(8),
// "FILESYSTEM-INDEPENDENT MOUNT OPTIONS"; config.md of the OCI runtime
// specification, "Linux mount options").
var toggles = []struct {
	on, off string
	flag    uintptr
}{
	{"ro", "rw", unix.MS_RDONLY},
	{"nosuid", "suid", unix.MS_NOSUID},
	{"nodev", "dev", unix.MS_NODEV},
	{"noexec", "exec", unix.MS_NOEXEC},
	{"nosymfollow", "symfollow", unix.MS_NOSYMFOLLOW}, // since Linux 5.10
	{"noatime", "atime", unix.MS_NOATIME},
	{"relatime", "norelatime", unix.MS_RELATIME},
	{"strictatime", "nostrictatime", unix.MS_STRICTATIME},
	{"nodiratime", "diratime", unix.MS_NODIRATIME},
	{"sync", "async", unix.MS_SYNCHRONOUS},
	{"dirsync", "", unix.MS_DIRSYNC},
	{"iversion", "noiversion", unix.MS_I_VERSION},
	{"silent", "loud", unix.MS_SILENT},
	{"remount", "", unix.MS_REMOUNT},
	{"bind", "", unix.MS_BIND},
	{"rbind", "", unix.MS_BIND | unix.MS_REC},
	{"defaults", "", 0},
}

// propagations are the modes (mount_namespaces(7), "SHARED SUBTREES"); an "r"
// before one means the whole tree below as well.
var propagations = map[string]uintptr{
	"private":    unix.MS_PRIVATE,
	"slave":      unix.MS_SLAVE,
	"shared":     unix.MS_SHARED,
	"unbindable": unix.MS_UNBINDABLE,
}

// recursive are the options that reach the mounts below a bind mount too
// (mount_setattr(2), AT_RECURSIVE; since Linux 5.12), by runc's names.
var recursive = map[string]uint64{
	"rro":     unix.MOUNT_ATTR_RDONLY,
	"rnosuid": unix.MOUNT_ATTR_NOSUID,
	"rnodev":  unix.MOUNT_ATTR_NODEV,
	"rnoexec": unix.MOUNT_ATTR_NOEXEC,
}

// parsed is an option list in the terms of the system calls.
type parsed struct {
	flags     uintptr  // MS_… to set
	cleared   uintptr  // MS_… that were asked to be off
	propagate []string // modes, in their order
	setattr   uint64   // MOUNT_ATTR_… for the whole tree
	data      string   // what only the file system knows: "mode=755,size=64m"
}

func (p parsed) is(flag uintptr) bool { return p.flags&flag != 0 }

// parse sorts words into flags, propagation and data. Like mount(8), it hands
// a word that it does not know to the file system.
func parse(words []string) (p parsed) {
	var data []string
	for _, word := range words {
		if p.toggle(word) {
			continue
		}
		if _, ok := propagation(word); ok {
			p.propagate = append(p.propagate, word)
		} else if attr, ok := recursive[word]; ok {
			p.setattr |= attr
		} else {
			data = append(data, word)
		}
	}
	p.data = strings.Join(data, ",")
	return p
}

func (p *parsed) toggle(word string) bool {
	for _, t := range toggles {
		switch word {
		case t.on:
			p.flags, p.cleared = p.flags|t.flag, p.cleared&^t.flag
			return true
		case t.off:
			p.flags, p.cleared = p.flags&^t.flag, p.cleared|t.flag
			return true
		}
	}
	return false
}

// propagation is the flags of a mode such as "rslave".
func propagation(mode string) (uintptr, bool) {
	if flag, ok := propagations[mode]; ok {
		return flag, true
	}
	flag, ok := propagations[strings.TrimPrefix(mode, "r")]
	return flag | unix.MS_REC, ok
}

// shellOptions is words for mount(8), which knows a bind and a propagation by
// options of its own.
func shellOptions(words []string) string {
	var rest []string
	for _, w := range words {
		if _, isMode := propagation(w); isMode || w == "bind" || w == "rbind" {
			continue
		}
		if recursive[w] != 0 {
			w = w[1:] + "=recursive" // since util-linux 2.39
		}
		rest = append(rest, w)
	}
	if len(rest) == 0 {
		return ""
	}
	return " -o " + quote(strings.Join(rest, ","))
}

// bindOptions divides the words of a bind into those for the mount itself and
// the flags for a second call.
func bindOptions(words []string) (mount, flags []string) {
	for _, w := range words {
		if _, isMode := propagation(w); isMode || w == "bind" || w == "rbind" || recursive[w] != 0 {
			mount = append(mount, w)
			continue
		}
		flags = append(flags, w)
	}
	return mount, flags
}
