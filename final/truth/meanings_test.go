package truth

import (
	"slices"
	"strconv"
	"strings"
)

// meanings says of each system call which fact it is. What is not in the table
// is a fact by its own name and arguments.
var meanings = map[string]func(*witness, call){
	"clone": cloned, "clone3": cloned, "fork": cloned, "vfork": cloned,
	"execve": executed,
	"socket": func(w *witness, c call) {
		_, name := descriptor(c.ret)
		w.sockets[name] = &socket{netns: w.netns[c.pid]}
	},
	"read": func(w *witness, c call) {
		if s := text(c.arg(1)); strings.HasPrefix(s, "POST ") || strings.HasPrefix(s, `{"steps":`) {
			w.glimpse(c, "read "+s)
		}
	},
	"unshare": func(w *witness, c call) {
		if strings.Contains(c.arg(0), "CLONE_NEWNET") {
			w.netns[c.pid] = "new"
		}
		w.add(c, "unshare "+sorted(c.arg(0)))
	},
	"setns": func(w *witness, c call) {
		number, p := descriptor(c.arg(0))
		if !strings.HasPrefix(p, "/") {
			p = w.descriptor(c, number)
		}
		if c.arg(1) == "CLONE_NEWNET" {
			w.netns[c.pid] = p
		}
		w.add(c, "setns "+c.arg(1)+" "+p)
	},
	"mount": mounted,
	"umount2": func(w *witness, c call) {
		w.add(c, "umount "+w.name(c, text(c.arg(0))))
	},
	"move_mount": func(w *witness, c call) { w.add(c, "move_mount to "+w.at(c, 2)) },
	"fsopen":     func(w *witness, c call) { w.add(c, "fsopen "+text(c.arg(0))) },
	"fsconfig": func(w *witness, c call) {
		w.add(c, strings.TrimRight("fsconfig "+c.arg(1)+" "+text(c.arg(2))+" "+text(c.arg(3)), " "))
	},
	"fsmount": func(w *witness, c call) { w.add(c, "fsmount "+c.arg(2)) },
	"mount_setattr": func(w *witness, c call) {
		w.add(c, "mount_setattr "+w.at(c, 0))
	},
	"open":    func(w *witness, c call) { opened(w, c, file{w.name(c, text(c.arg(0))), c.arg(1)}) },
	"openat":  func(w *witness, c call) { opened(w, c, file{w.at(c, 0), c.arg(2)}) },
	"openat2": func(w *witness, c call) { opened(w, c, file{w.at(c, 0), c.arg(2)}) },
	"mkdir":   func(w *witness, c call) { w.change(c, "mkdir", w.name(c, text(c.arg(0)))) },
	"mkdirat": func(w *witness, c call) { w.change(c, "mkdir", w.at(c, 0)) },
	"mknodat": func(w *witness, c call) {
		w.change(c, "mknod "+c.arg(2)+" "+strings.ReplaceAll(c.arg(3), " ", ""), w.at(c, 0))
	},
	"symlinkat": func(w *witness, c call) { w.change(c, "symlink "+text(c.arg(0))+" at", w.at(c, 1)) },
	"fchownat":  func(w *witness, c call) { w.change(c, "chown "+c.arg(2)+":"+c.arg(3), w.at(c, 0)) },
	"fchown": func(w *witness, c call) {
		number, _ := descriptor(c.arg(0))
		if p := w.file(c.arg(0)); p != "" {
			w.add(c, "chown "+c.arg(1)+":"+c.arg(2)+" "+p)
		} else if w.actor(c.pid) == "child" {
			w.add(c, "chown "+c.arg(1)+":"+c.arg(2)+" stream "+number)
		}
	},
	"fchmodat":  func(w *witness, c call) { w.change(c, "chmod "+c.arg(2), w.at(c, 0)) },
	"fchmodat2": func(w *witness, c call) { w.change(c, "chmod "+c.arg(2), w.at(c, 0)) },
	"syscall_0x1c4": func(w *witness, c call) { // fchmodat2, before strace 6.6
		n, _ := strconv.ParseInt(c.arg(0), 0, 32)
		w.change(c, "chmod in", w.descriptor(c, strconv.Itoa(int(n))))
	},
	"fchmod":    func(w *witness, c call) { w.change(c, "chmod "+c.arg(1), w.file(c.arg(0))) },
	"utimensat": func(w *witness, c call) { w.change(c, "utimes", w.at(c, 0)) },
	"unlinkat":  func(w *witness, c call) { w.change(c, "remove", w.at(c, 0)) },
	"renameat":  func(w *witness, c call) { w.change(c, "rename", w.at(c, 2)) },
	"renameat2": func(w *witness, c call) { w.change(c, "rename", w.at(c, 2)) },
	"write":     wrote, "pwrite64": wrote,
	"copy_file_range": func(w *witness, c call) { w.change(c, "copy to", w.file(c.arg(2))) },
	"splice":          func(w *witness, c call) { w.change(c, "copy to", w.file(c.arg(2))) },
	"sendfile":        func(w *witness, c call) { w.change(c, "copy to", w.file(c.arg(0))) },
	"sendto":          sent, "sendmsg": sent,
	"sethostname":   func(w *witness, c call) { w.add(c, "sethostname "+text(c.arg(0))) },
	"setdomainname": func(w *witness, c call) { w.add(c, "setdomainname "+text(c.arg(0))) },
	"bpf": func(w *witness, c call) {
		if what := c.arg(0); what == "BPF_PROG_ATTACH" || what == "BPF_PROG_DETACH" {
			w.add(c, "bpf "+what)
		} else {
			w.glimpse(c, "bpf "+what)
		}
	},
	"prctl": controlled,
	"capset": func(w *witness, c call) {
		w.add(c, "capset")
	},
	"prlimit64": func(w *witness, c call) {
		if c.arg(2) == "NULL" {
			w.glimpse(c, "limit "+c.arg(1)+" "+c.arg(3))
			return
		}
		w.add(c, "prlimit64 "+c.arg(1)+" "+c.arg(2))
	},
	"ioctl": func(w *witness, c call) {
		quiet := []string{"TCGETS", "TIOCGPTN", "TIOCGWINSZ", "FIONREAD", "FICLONE"}
		if name, _, _ := strings.Cut(c.arg(1), " "); !slices.Contains(quiet, name) {
			w.add(c, "ioctl "+name)
		}
	},
	"dup3":   func(w *witness, c call) { w.inChild(c, "dup3 to "+strings.SplitN(c.arg(1), "<", 2)[0]) },
	"chdir":  func(w *witness, c call) { w.inChild(c, "chdir "+w.name(c, text(c.arg(0)))) },
	"fchdir": func(w *witness, c call) { w.inChild(c, "fchdir") },
	"setsid": func(*witness, call) {}, // of every process that Go starts so
	"close_range": func(w *witness, c call) {
		w.add(c, "close_range "+c.arg(0)+" "+c.arg(2))
	},
}

// inChild notes what matters only in the container's process.
func (w *witness) inChild(c call, what string) {
	if w.actor(c.pid) == "child" {
		w.add(c, what)
	}
}

// sorted is flags in the order of the alphabet.
func sorted(flags string) string {
	words := strings.Split(flags, "|")
	slices.Sort(words)
	return strings.Join(words, "|")
}

// cloned tells processes from threads and from Go's trials of what clone can do,
// which have no exit signal.
func cloned(w *witness, c call) {
	flags := ""
	for _, a := range c.args {
		if f, ok := strings.CutPrefix(strings.TrimPrefix(a, "{"), "flags="); ok {
			flags = f
		}
	}
	if strings.Contains(flags, "CLONE_THREAD") || !strings.Contains(strings.Join(c.args, " "), "SIGCHLD") {
		return
	}
	var made []string
	for flag := range strings.SplitSeq(flags, "|") {
		if strings.HasPrefix(flag, "CLONE_NEW") {
			made = append(made, flag)
		}
	}
	slices.Sort(made)
	f := w.fact(c, strings.TrimSpace("clone "+strings.Join(made, "|")))
	f.bears = c.clone()
	w.facts = append(w.facts, f)
}

// executed gives a process its part: the shim, the child, or a program.
func executed(w *witness, c call) {
	was := w.actor(c.pid)
	what := "execve " + text(c.arg(0)) + " " + c.arg(1)
	switch {
	case strings.HasPrefix(c.arg(1), `["cutaway", "shim"`):
		what = "execve shim"
	case strings.HasPrefix(c.arg(1), `["cutaway", "init"`):
		what = "execve child"
	}
	f := w.fact(c, what) // by whom it was before
	if what == "execve child" {
		f.bears = c.pid
	}
	w.facts = append(w.facts, f)
	switch {
	case what == "execve shim":
		w.who[c.pid] = "shim"
	case what == "execve child":
		w.who[c.pid] = "child"
	case was == "child":
		w.who[c.pid] = program
	}
}

// mounted sorts mount(2)'s kinds of change.
func mounted(w *witness, c call) {
	source, target, flags := w.name(c, text(c.arg(0))), w.name(c, text(c.arg(1))), sorted(c.arg(3))
	has := func(flag string) bool { return slices.Contains(strings.Split(flags, "|"), flag) }
	switch {
	case has("MS_REMOUNT"):
		w.add(c, "remount "+target)
	case has("MS_PRIVATE"), has("MS_SLAVE"), has("MS_SHARED"), has("MS_UNBINDABLE"):
		w.add(c, "propagation "+flags+" of "+target)
	case has("MS_BIND"):
		w.add(c, "bind "+source+" on "+target+" "+flags)
	default:
		w.add(c, strings.Join([]string{"mount", text(c.arg(2)), source, "on", target, flags, text(c.arg(4))}, " "))
	}
}

// file is what was opened, and how.
type file struct{ name, flags string }

// opened remembers the descriptor, and is a fact if it makes a file.
func opened(w *witness, c call, f file) {
	w.opened(c, f.name)
	if strings.Contains(f.flags, "O_CREAT") {
		w.change(c, "create", f.name)
	}
}

func wrote(w *witness, c call) {
	if p := w.file(c.arg(0)); p != "" {
		w.add(c, "write "+p+": "+text(c.arg(1)))
	}
	if w.actor(c.pid) == "daemon" && strings.HasPrefix(text(c.arg(1)), "HTTP/1.1 ") {
		w.glimpse(c, "answer")
	}
}

func controlled(w *witness, c call) {
	option := c.arg(0)
	switch {
	case option == "PR_CAPBSET_READ":
		value, _, _ := strings.Cut(c.ret, " ")
		w.glimpse(c, "prctl "+option+" "+c.arg(1)+" = "+value)
	case option == "PR_SET_VMA" || strings.HasPrefix(option, "PR_GET_"):
	case option == "PR_CAP_AMBIENT":
		w.add(c, "prctl "+option+" "+c.arg(1)+" "+c.arg(2))
	default:
		w.add(c, "prctl "+option+" "+c.arg(1))
	}
}
