package truth

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	namespaces "cutaway/02-namespaces"
	unionfs "cutaway/04-unionfs"
	"cutaway/final/rootfs"
	"cutaway/final/security"
	"cutaway/final/shim"
	"cutaway/final/volume"
)

// kinds are the flags of the kinds of namespaces (namespaces(7)).
var kinds = map[namespaces.Kind]string{
	namespaces.UTS: "CLONE_NEWUTS", namespaces.IPC: "CLONE_NEWIPC", namespaces.PID: "CLONE_NEWPID", namespaces.Mnt: "CLONE_NEWNS",
	namespaces.Net: "CLONE_NEWNET", namespaces.User: "CLONE_NEWUSER", namespaces.Cgroup: "CLONE_NEWCGROUP", namespaces.Time: "CLONE_NEWTIME",
}

func flags(list []namespaces.Kind) string {
	var words []string
	for _, k := range list {
		words = append(words, kinds[k])
	}
	return sorted(strings.Join(words, "|"))
}

func joined(s namespaces.Join) []want {
	list := []want{must("setns " + kinds[s.Kind] + " " + s.Path)}
	if s.Kind == namespaces.PID { // which only a new process can be in
		return append(list, must("clone"), must("execve child"))
	}
	if s.Kind == namespaces.Mnt {
		return append([]want{must("unshare CLONE_FS")}, list...)
	}
	return list
}

// propagations are mount(8)'s words in mount(2)'s flags, sorted.
var propagations = map[string]string{
	"private": "MS_PRIVATE", "slave": "MS_SLAVE", "shared": "MS_SHARED", "unbindable": "MS_UNBINDABLE",
	"rprivate": "MS_PRIVATE|MS_REC", "rslave": "MS_REC|MS_SLAVE", "rshared": "MS_REC|MS_SHARED", "runbindable": "MS_REC|MS_UNBINDABLE",
}

// mountFlags are mount(8)'s words in mount(2)'s flags; "" takes one away.
var mountFlags = map[string]string{
	"ro": "MS_RDONLY", "nosuid": "MS_NOSUID", "nodev": "MS_NODEV", "noexec": "MS_NOEXEC", "noatime": "MS_NOATIME",
	"relatime": "MS_RELATIME", "strictatime": "MS_STRICTATIME", "bind": "MS_BIND", "rbind": "MS_BIND|MS_REC", "remount": "MS_REMOUNT",
	"rw": "", "suid": "", "dev": "", "exec": "",
}

// mount is the up to four calls of a mount, and its mount point.
func mount(s rootfs.Mount) []want {
	target := path.Join("/", s.Root, s.Target)
	var set, data, modes []string
	clears, below := false, ""
	for _, word := range s.Options {
		flag, known := mountFlags[word]
		switch {
		case known && flag != "":
			set = append(set, strings.Split(flag, "|")...)
		case known:
			clears = true
		case word == "rro":
			below = "MOUNT_ATTR_RDONLY"
		case propagations[word] != "":
			modes = append(modes, propagations[word])
		default:
			data = append(data, word)
		}
	}
	has := func(flag string) bool { return slices.Contains(set, flag) }
	all := "0"
	if len(set) > 0 {
		all = sorted(strings.Join(set, "|"))
	}
	list := append(parents(target), maybe("create "+target))
	switch {
	case has("MS_REMOUNT") && !has("MS_BIND"):
		list = append(list, must("remount "+target, append(data, set...)...))
	case has("MS_BIND"):
		if !has("MS_REMOUNT") {
			list = append(list, must("bind "+s.Source+" on "+target+" "+all))
		}
		var own []string
		for _, f := range set {
			if !slices.Contains([]string{"MS_BIND", "MS_REC", "MS_REMOUNT", "MS_RELATIME"}, f) { // 0 = MOUNT_ATTR_RELATIME
				own = append(own, strings.Replace(f, "MS_", "MOUNT_ATTR_", 1))
			}
		}
		if len(own) > 0 || clears || has("MS_RELATIME") {
			list = append(list, must("mount_setattr "+target, own...))
		}
		if below != "" {
			list = append(list, must("mount_setattr "+target, "AT_RECURSIVE", "attr_set="+below))
		}
	default:
		list = append(list, must(strings.Join([]string{"mount", s.Type, s.Source, "on", target, all, strings.Join(data, ",")}, " ")))
	}
	for _, mode := range modes {
		list = append(list, must("propagation "+mode+" of "+target))
	}
	return list
}

// masked is what hides a path: which of the two is for the kernel's own tree to say.
func masked(s security.Mask, seen func(string) bool) []want {
	p := path.Join("/", s.Root, s.Path)
	null, empty := "bind /dev/null on "+p+" MS_BIND", "mount tmpfs tmpfs on "+p+" MS_NODEV|MS_NOEXEC|MS_NOSUID|MS_RDONLY nr_inodes=1"
	for _, what := range []string{"absent " + p, empty} {
		if seen(what) {
			return []want{must(what)}
		}
	}
	return []want{must(null)}
}

// overlay is a mount of layers: one call for each layer, or since before Linux
// 6.8 one for all.
func overlay(s unionfs.Mount, seen func(string) bool) []want {
	if s.Type != "overlay" {
		return []want{must("bind " + s.Source + " on " + s.Target + " MS_BIND")}
	}
	if !seen("fsopen overlay") {
		return []want{must("unshare CLONE_FS"), must("mount overlay overlay on " + s.Target + " *")}
	}
	list := []want{must("fsopen overlay"), must("fsconfig FSCONFIG_SET_STRING source overlay")}
	option := func(key, value string) { list = append(list, must("fsconfig FSCONFIG_SET_STRING "+key+" "+value)) }
	for _, l := range s.Lower {
		option("lowerdir+", path.Join(s.Dir, l))
	}
	if s.Upper != "" {
		option("upperdir", path.Join(s.Dir, s.Upper))
		option("workdir", path.Join(s.Dir, s.Work))
	}
	for _, o := range s.Options {
		if key, value, ok := strings.Cut(o, "="); ok {
			option(key, value)
		} else {
			list = append(list, must("fsconfig FSCONFIG_SET_FLAG "+o))
		}
	}
	return append(list, must("fsconfig FSCONFIG_CMD_CREATE"), must("fsmount *"), must("move_mount to "+s.Target))
}

// fill is at least one file in the volume, if the image has the directory.
func fill(s volume.Fill, seen func(string) bool) []want {
	for p := s.From; p != "/"; p = path.Dir(p) {
		if gone := "absent " + path.Join(s.Root, p); seen(gone) {
			return []want{must(gone)}
		}
	}
	list := []want{must("chown 0:0 " + s.To)} // of the directory itself, copied too
	for _, verb := range []string{"mkdir", "create", "write", "copy to", "chmod", "chown", "utimes"} {
		list = append(list, want{what: verb + " * " + s.To, maybe: true})
	}
	return append(list, want{what: "symlink * " + s.To, maybe: true})
}

func terminal(s shim.Terminal) []want {
	list := []want{must("ioctl TIOCSPTLCK"), must("ioctl TIOCSCTTY"), must("dup3 to 0"), must("dup3 to 1"), must("dup3 to 2"), must("send descriptor")}
	if s.Rows != 0 || s.Columns != 0 {
		list = append(list, must("ioctl TIOCSWINSZ", "ws_row="+strconv.Itoa(int(s.Rows)), "ws_col="+strconv.Itoa(int(s.Columns))))
	}
	if s.Console {
		at := s.Root + "/dev/console"
		list = append(list, must("create "+at), must("bind "+s.Root+"/dev/pts/*", at))
	}
	return list
}

// bounding is every capability that is not kept, as far as the kernel has it
// and it was there.
func bounding(s security.Bounding, seen func(string) bool) []want {
	_, names, _ := strings.Cut(s.String(), "--drop=")
	names, _, _ = strings.Cut(names, " ")
	var list []want
	for name := range strings.SplitSeq(strings.ToUpper(names), ",") {
		switch read := "prctl PR_CAPBSET_READ " + name + " = "; {
		case name == "" || seen(read+"0") || seen("prctl PR_CAPBSET_READ * = EINVAL") && !seen(read+"1"):
		default:
			list = append(list, must("prctl PR_CAPBSET_DROP "+name))
		}
	}
	return list
}

// set is capabilities as strace shows them.
func set(caps []string) string {
	if len(caps) == 0 {
		return "0"
	}
	words := make([]string, len(caps))
	for i, c := range caps {
		words[i] = "1<<" + c
	}
	return strings.Join(words, "|")
}

// number is a limit as strace shows it: 4*1024 for 4096.
func number(n uint64) string {
	switch {
	case n == 1<<64-1:
		return "RLIM64_INFINITY"
	case n > 1024 && n%1024 == 0:
		return strconv.FormatUint(n/1024, 10) + "*1024"
	}
	return strconv.FormatUint(n, 10)
}

// quoted is words as strace shows them, unless a byte of them is special.
func quoted(words []string) []string {
	var list []string
	for _, w := range words {
		if strconv.Quote(w) == `"`+w+`"` {
			list = append(list, `"`+w+`"`)
		}
	}
	return list
}

// hex is a number as strace shows it: 0 has no 0x.
func hex(n uint32) string {
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("%#x", n)
}

// short leaves out of a report what makes it hard to read.
func short(dir, report string) string {
	return idForm.ReplaceAllString(strings.ReplaceAll(report, dir, "…"), "$1")
}

var idForm = regexp.MustCompile(`([0-9a-f]{6})[0-9a-f]{58}`)
