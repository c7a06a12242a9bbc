package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// facts is what the kernel says of a container, one text for each kind of fact. Names that two containers must
// differ in (directories, cgroups, cables) are made the same.
type facts map[string]string

// normal maps what a script calls its own to what the engine does.
var normal = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`[^ ]*/(containers/[0-9a-f]{64}|by-hand-[0-9a-f]{12})/`), "DIR/"},
	{regexp.MustCompile(`([0-9a-f]{64})\.by-hand`), "$1"},
	{regexp.MustCompile(`,(lowerdir\+?|upperdir|workdir)=[^,\s]*`), ""},            // the same by fsconfig(2) and by mount(2)
	{regexp.MustCompile(`,uuid=\w+`), ""},                                          // shown by the first mount of an upper directory, and by no later one
	{regexp.MustCompile(`/dev/(dm-\d+|mapper/cutaway-[0-9a-f-]+)`), "/dev/DEVICE"}, // one of them is a link to the other
	{regexp.MustCompile(`@if\d+|link-netnsid \d+`), ""},
	{regexp.MustCompile(`(veth|hand)[0-9a-f]{7}\w*`), "CABLE"},
}

func (f facts) add(name, text string) {
	for _, n := range normal {
		text = n.pattern.ReplaceAllString(text, n.with)
	}
	f[name] = strings.TrimSpace(text)
}

// subject is a container to be looked at.
type subject struct {
	pid    string   // its first process
	groups []string // its cgroups
	cable  string   // what the name of the host's end of its cable begins with
}

// factsOf collects everything about a container.
func factsOf(t *testing.T, s subject) facts {
	f, pid := facts{}, s.pid
	proc := func(name string) string { return read(t, filepath.Join("/proc", pid, name)) }
	f.add("namespaces", namespaces(t, pid))
	f.add("mounts", mounts(proc("mountinfo")))
	f.add("cgroup", proc("cgroup"))
	f.add("status", privileges(proc("status")))
	f.add("environment", sorted(proc("environ"), "\x00"))
	f.add("command line", proc("cmdline"))
	f.add("resource limits", proc("limits"))
	f.add("oom_score_adj", proc("oom_score_adj"))
	for _, link := range []string{"exe", "cwd"} {
		target, err := os.Readlink(filepath.Join("/proc", pid, link))
		require.NoError(t, err)
		f.add(link, target)
	}
	f.add("descriptors", descriptors(pid))
	f.network(t, s)
	f.add("firewall", output(t, "nft", "list", "ruleset"))
	f.add("devices", output(t, "find", "/proc/"+pid+"/root/dev", "-xdev", "-printf", "%P %M %U:%G %l %Y\n"))
	f.add("device numbers", output(t, "sh", "-c", "stat -c '%n %t:%T' /proc/"+pid+"/root/dev/* | sed 's,.*/,,'"))
	for _, group := range s.groups {
		f.add("limits "+group, limits(t, group))
	}
	return f
}

// network adds what can be seen from inside, unless that is the host's network, where much goes on.
func (f facts) network(t *testing.T, s subject) {
	inside := func(args ...string) string {
		return output(t, "nsenter", append([]string{"--target", s.pid, "--net", "--uts"}, args...)...)
	}
	f.add("hostname", inside("cat", "/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname"))
	f.add("cable", cable(output(t, "ip", "-oneline", "-details", "link", "show", "type", "veth"), s.cable))
	if strings.Contains(f["namespaces"], "net is the host's: true") {
		return
	}
	f.add("addresses", inside("ip", "-4", "-oneline", "address"))
	f.add("links", inside("ip", "-oneline", "link"))
	f.add("routes", inside("ip", "-4", "route"))
	f.add("forwarding", inside("cat", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/ip_unprivileged_port_start"))
}

func read(t *testing.T, path string) string {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s %q", name, args)
	return string(out)
}

// namespaces says of each kind whether it is the host's.
func namespaces(t *testing.T, pid string) string {
	var list []string
	for _, kind := range []string{"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"} {
		theirs, err := os.Readlink("/proc/" + pid + "/ns/" + kind)
		require.NoError(t, err)
		ours, err := os.Readlink("/proc/self/ns/" + kind)
		require.NoError(t, err)
		list = append(list, fmt.Sprintf("%s is the host's: %t", kind, ours == theirs))
	}
	return strings.Join(list, "\n")
}

// descriptors lists those that the program did not open itself: Go's runtime opens some, and marks them
// close-on-exec (O_CLOEXEC).
func descriptors(pid string) string {
	var list []string
	entries, _ := os.ReadDir(filepath.Join("/proc", pid, "fd"))
	for _, e := range entries {
		info, err := os.ReadFile(filepath.Join("/proc", pid, "fdinfo", e.Name()))
		if err != nil || closeOnExec.Match(info) {
			continue
		}
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

// closeOnExec finds O_CLOEXEC in "flags:\t02100000", which is octal (proc_pid_fdinfo(5)).
var closeOnExec = regexp.MustCompile(`flags:\s+0*[0-7]*[2367][0-7]{6}\n`)

// mounts is a mountinfo without the numbers.
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
func mounts(info string) string {
	var list []string
	for line := range strings.Lines(info) {
		list = append(list, strings.Join(strings.Fields(line)[3:], " "))
	}
	return strings.Join(list, "\n")
}

// privileges is what a status file says of them, and of signals.
func privileges(text string) string {
	var list []string
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(line, ":")
		if name == "NSsid" || name == "NSpgid" { // the last number is that of the innermost PID namespace
			numbers := strings.Fields(line)
			list = append(list, name+" "+numbers[len(numbers)-1])
		}
		if slices.Contains([]string{"Umask", "Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "SigIgn"}, name) || strings.HasPrefix(name, "Cap") {
			list = append(list, strings.TrimSpace(line))
		}
	}
	return strings.Join(list, "\n")
}

func sorted(text, separator string) string {
	list := strings.Split(strings.Trim(text, separator), separator)
	slices.Sort(list)
	return strings.Join(list, "\n")
}

// cable is what matters of the host's end of one.
func cable(links, name string) string {
	words := regexp.MustCompile(`master \S+|state \S+|hairpin \S+|<[A-Z,_]+>`)
	for line := range strings.Lines(links) {
		if strings.Contains(line, " "+name) {
			return strings.Join(words.FindAllString(line, -1), " ")
		}
	}
	return "none"
}

// limits is all settings of a cgroup, but not its counters.
func limits(t *testing.T, group string) string {
	wanted := regexp.MustCompile(`^(memory\.(max|high|low|min|swap\.max|.*limit_in_bytes|oom_control)|cpu\.(max|weight|shares|cfs.*)|pids\.max|cpuset\.(cpus|mems)|devices\.list|(io|blkio)\..*(weight|max))$`)
	entries, err := os.ReadDir(group)
	require.NoError(t, err)
	var list []string
	for _, e := range entries {
		if wanted.MatchString(e.Name()) {
			list = append(list, e.Name()+": "+read(t, filepath.Join(group, e.Name())))
		}
	}
	return strings.Join(list, "")
}
