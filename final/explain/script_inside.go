package explain

import (
	"fmt"
	"slices"
	"strings"

	chroot "cutaway/01-chroot"
	namespaces "cutaway/02-namespaces"
	cgroups "cutaway/03-cgroups"
	"cutaway/final/plan"
	"cutaway/final/rootfs"
	"cutaway/final/security"
	"cutaway/final/shim"
)

// Joins is how the process gets into namespaces that exist, for the start of
// its command line.
func (s *script) Joins() string {
	words := ""
	for _, it := range s.plan.Of(plan.Inside) {
		if j, ok := it.Step.(namespaces.Join); ok {
			words += strings.TrimPrefix(expand(renamed(j, s.rename).String()), "nsenter ") + " "
		}
	}
	if words == "" {
		return ""
	}
	return "nsenter " + words
}

// Enter is what PID 1 begins with, when it has namespaces of its own but the
// host's mounts.
func (s *script) Enter() string {
	return s.part("    ", func() {
		for _, it := range s.plan.Of(plan.Inside) {
			switch step := it.Step.(type) {
			case namespaces.Join:
				s.reason(it)
				s.line("# (by nsenter, below)")
			case cgroups.Join:
				s.reason(it)
				s.commands(renamed(step, s.rename), "; ")
			case namespaces.Unshare:
				s.reason(it)
			}
		}
	})
}

// Build is what makes the container's tree, up to becoming the program.
func (s *script) Build() string {
	inside := s.plan.Of(plan.Inside)
	return s.part("    ", func() {
		for i, it := range inside {
			switch it.Step.(type) {
			case namespaces.Join, cgroups.Join, namespaces.Unshare:
				continue // in Enter
			case chroot.Pivot:
				continue // by the script, from outside
			case security.Mask, security.ReadOnly:
				if i > 0 && inside[i-1].Name() == it.Name() {
					continue // in the loop of the first
				}
			}
			s.reason(it)
			s.within(it, inside[i:])
		}
	})
}

// within writes one step that is done inside. Everything is done before the
// root is moved, since the tools are the host's; so all paths are below $R.
func (s *script) within(it *plan.Item, rest []*plan.Item) {
	switch step := renamed(it.Step, s.rename).(type) {
	case rootfs.Mount:
		s.mount(step)
	case rootfs.Device:
		s.commands(step, " && ")
	case security.Mask, security.ReadOnly:
		s.paths(rest)
	case namespaces.Sysctl:
		s.line("%s >/dev/null", step)
	case plan.Workdir:
		s.line("at=$(place %s)\nmkdir -p \"$at\"\ncd \"$at\"", rootfs.Quote(it.Step.(plan.Workdir).Path))
	case shim.Terminal:
		s.terminal(step)
	case security.Bounding, security.Capabilities, security.NoNewPrivileges:
		s.line("# (by setpriv, below)")
	case security.User:
		s.user(it.Step.(security.User))
	case plan.Exec: // the rest of the function
	default:
		s.command(step)
	}
}

// mount writes a mount in the container's tree. A link in the image may be on
// the way, but for what is below /proc, /dev and /sys: those are new.
func (s *script) mount(m rootfs.Mount) {
	target := m.Target
	if m.Root == "" {
		m.Root = "/__R__" // it comes after the move
	}
	if slices.Contains(m.Options, "remount") {
		s.command(m)
		return
	}
	own := target == "/proc" || target == "/dev" || target == "/sys" ||
		strings.HasPrefix(target, "/dev/") || strings.HasPrefix(target, "/sys/")
	if !own {
		s.line("at=$(place %s)", rootfs.Quote(target))
		m.Root, m.Target = "", "/__AT__"
	}
	list := commands(m.String(), " && ")
	if slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind") {
		point := "\"$at\""
		if own {
			point = expand(rootfs.Quote("/__R__" + target))
		}
		list[0] = fmt.Sprintf("mount_point %s %s", rootfs.Quote(m.Source), point)
	}
	for _, c := range list {
		s.line("%s", expand(c))
	}
}

// paths writes a loop over the paths of the steps of one kind that follow each
// other.
func (s *script) paths(items []*plan.Item) {
	var paths []string
	body := ""
	for _, it := range items {
		if it.Name() != items[0].Name() {
			break
		}
		switch step := it.Step.(type) {
		case security.Mask:
			paths = append(paths, step.Path)
			body = security.Mask{Root: "/__R__", Path: "/__PATH__"}.String()
		case security.ReadOnly:
			paths = append(paths, step.Path)
			body = security.ReadOnly{Root: "/__R__", Path: "/__PATH__"}.String()
		}
	}
	body = strings.ReplaceAll(body, "/dev/null", "/__R__/dev/null")
	s.line("for path in %s; do", strings.Join(paths, " "))
	s.line("    %s\ndone", strings.NewReplacer("; then ", "; then\n        ", "; elif", "\n    elif", "; fi", "\n    fi").Replace(expand(body)))
}

// user writes how the user is looked up.
func (s *script) user(u security.User) {
	name, group, _ := strings.Cut(u.Name, ":")
	if name == "" {
		name = "0"
	}
	words := []string{"identify", rootfs.Quote(name), rootfs.Quote(group)}
	for _, g := range u.Groups {
		words = append(words, rootfs.Quote(g))
	}
	s.line("%s\numask %04o", strings.Join(words, " "), u.Umask)
	if s.First["shim.Terminal"] != nil {
		s.line("chown \"$uid:$gid\" /dev/fd/0")
		return
	}
	s.line("# Not done here: to give the standard streams to the user. They are yours.")
}

// terminal writes how the process gets the terminal that the script opens for
// it, when it is told that /dev/pts is there.
func (s *script) terminal(t shim.Terminal) {
	s.line("echo >&4      # the script opens the first terminal of this /dev/pts")
	s.line("read -ru 3    # it has")
	s.line("exec <>\"$R/dev/pts/0\" >&0 2>&0")
	if t.Rows != 0 || t.Columns != 0 {
		s.line("stty rows %d columns %d", t.Rows, t.Columns)
	}
	if t.Console {
		s.line("install --mode=600 /dev/null \"$R/dev/console\"\nmount --bind \"$R/dev/pts/0\" \"$R/dev/console\"")
	}
}

// has tells whether a variable is in an environment.
func has(env []string, name string) bool {
	return slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, name+"=") })
}

// unwanted takes away what bash adds to the environment.
func unwanted(env []string) string {
	list := ""
	for _, name := range []string{"SHLVL", "PWD", "OLDPWD", "_"} {
		if has(env, name) {
			continue
		}
		list += "unset " + name + "; "
		if name == "SHLVL" { // exec would set it again
			list += "declare -a SHLVL; "
		}
	}
	return list
}

// privileges is a set of capabilities as setpriv(1) takes it.
func privileges(caps []string) string {
	list := "-all"
	for _, c := range caps {
		list += ",+" + strings.ToLower(strings.TrimPrefix(c, "CAP_"))
	}
	return list
}
