package namespaces

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// What the words of an option list do (mount(8), "FILESYSTEM-INDEPENDENT MOUNT
// OPTIONS"; config.md of the OCI runtime spec, "Linux mount options"). Each
// word sets some of mount(2)'s flags and clears others.
var vocabulary = map[string]struct{ set, clear uintptr }{
	"defaults":    {},
	"ro":          {set: unix.MS_RDONLY},
	"rw":          {clear: unix.MS_RDONLY},
	"nosuid":      {set: unix.MS_NOSUID},
	"suid":        {clear: unix.MS_NOSUID},
	"nodev":       {set: unix.MS_NODEV},
	"dev":         {clear: unix.MS_NODEV},
	"noexec":      {set: unix.MS_NOEXEC},
	"exec":        {clear: unix.MS_NOEXEC},
	"sync":        {set: unix.MS_SYNCHRONOUS},
	"async":       {clear: unix.MS_SYNCHRONOUS},
	"dirsync":     {set: unix.MS_DIRSYNC},
	"remount":     {set: unix.MS_REMOUNT},
	"bind":        {set: unix.MS_BIND},
	"rbind":       {set: unix.MS_BIND | unix.MS_REC},
	"noatime":     {set: unix.MS_NOATIME, clear: unix.MS_RELATIME | unix.MS_STRICTATIME},
	"atime":       {clear: unix.MS_NOATIME},
	"relatime":    {set: unix.MS_RELATIME, clear: unix.MS_NOATIME | unix.MS_STRICTATIME},
	"norelatime":  {clear: unix.MS_RELATIME},
	"strictatime": {set: unix.MS_STRICTATIME, clear: unix.MS_NOATIME | unix.MS_RELATIME},
	"nodiratime":  {set: unix.MS_NODIRATIME},
	"diratime":    {clear: unix.MS_NODIRATIME},
	"nosymfollow": {set: unix.MS_NOSYMFOLLOW}, // since Linux 5.10
	"silent":      {set: unix.MS_SILENT},
	"loud":        {clear: unix.MS_SILENT},
	"mand":        {}, // Linux 5.15 took mandatory locks away
	"nomand":      {},
	"iversion":    {set: unix.MS_I_VERSION},
	"noiversion":  {clear: unix.MS_I_VERSION},
}

// The modes of propagation (mount_namespaces(7), "SHARED SUBTREES"); an "r"
// before one means the whole tree below as well.
var propagations = map[string]uintptr{
	"private":    unix.MS_PRIVATE,
	"slave":      unix.MS_SLAVE,
	"shared":     unix.MS_SHARED,
	"unbindable": unix.MS_UNBINDABLE,
}

// The options that reach the mounts below a bind mount too (mount_setattr(2),
// AT_RECURSIVE; since Linux 5.12). runc's names for them.
var recursive = map[string]uint64{
	"rro":     unix.MOUNT_ATTR_RDONLY,
	"rnosuid": unix.MOUNT_ATTR_NOSUID,
	"rnodev":  unix.MOUNT_ATTR_NODEV,
	"rnoexec": unix.MOUNT_ATTR_NOEXEC,
}

// parsed is an option list in mount(2)'s terms.
type parsed struct {
	flags     uintptr  // MS_… to set
	cleared   uintptr  // MS_… that were asked to be off
	propagate []string // modes, in their order
	setattr   uint64   // MOUNT_ATTR_… for the whole tree
	data      string   // what only the file system knows: "mode=755,size=64m"
}

// parse sorts words into flags, propagation and data. Like mount(8), it hands
// a word that it does not know to the file system.
func parse(words []string) (p parsed) {
	var data []string
	for _, word := range words {
		if opt, ok := vocabulary[word]; ok {
			p.flags = p.flags&^opt.clear | opt.set
			p.cleared = p.cleared&^opt.set | opt.clear
		} else if _, ok := propagation(word); ok {
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

// propagation is the flags of a mode such as "rslave".
func propagation(mode string) (uintptr, bool) {
	if flag, ok := propagations[mode]; ok {
		return flag, true
	}
	flag, ok := propagations[strings.TrimPrefix(mode, "r")]
	return flag | unix.MS_REC, ok
}

// shellOptions is words for mount(8), which does propagation by options of
// its own and the flags of a bind by itself.
func shellOptions(words []string) string {
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool {
		_, isMode := propagation(w)
		return isMode || w == "bind" || w == "rbind"
	})
	for i, w := range words {
		if attr := strings.TrimPrefix(w, "r"); recursive[w] != 0 {
			words[i] = attr + "=recursive" // util-linux 2.39
		}
	}
	if len(words) == 0 {
		return ""
	}
	return fmt.Sprintf(" -o %s", quote(strings.Join(words, ",")))
}
