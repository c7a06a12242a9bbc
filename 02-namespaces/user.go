package namespaces

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// IDMap is one line of /proc/PID/uid_map or gid_map: Count numbers from
// Inside on, in the new user namespace, are those from Outside on in its
// parent.
type IDMap struct {
	Inside  uint32 `json:"inside"`
	Outside uint32 `json:"outside"`
	Count   uint32 `json:"count"`
}

// String is m as unshare(1) takes it.
func (m IDMap) String() string { return fmt.Sprintf("%d:%d:%d", m.Inside, m.Outside, m.Count) }

// Maps gives numbers to the users and groups of a new user namespace. Until
// it is done, everybody inside is "nobody" (65534). It is written once, from
// outside: by root at will; by another user for its own number alone; and for
// the ranges that /etc/subuid grants, by the programs newuidmap and newgidmap.
//
// Man page: user_namespaces(7), newuidmap(1)
type Maps struct {
	PID    int // a process in the namespace
	UIDMap []IDMap
	GIDMap []IDMap
}

// Do writes the maps, or has them written.
func (m Maps) Do() error {
	if os.Geteuid() != 0 && (!ownOnly(m.UIDMap, os.Geteuid()) || !ownOnly(m.GIDMap, os.Getegid())) {
		return m.byHelper()
	}
	if os.Geteuid() != 0 {
		// Else a user could leave a group that is there to keep it out of a
		// file (user_namespaces(7), CVE-2014-8989).
		if err := os.WriteFile(m.file("setgroups"), []byte("deny"), 0); err != nil {
			return err
		}
	}
	// One write(2) for all lines; the kernel takes no second one.
	if err := os.WriteFile(m.file("uid_map"), lines(m.UIDMap), 0); err != nil {
		return err
	}
	return os.WriteFile(m.file("gid_map"), lines(m.GIDMap), 0)
}

// byHelper asks the programs that may: they are set-user-ID, and check
// /etc/subuid and /etc/subgid.
func (m Maps) byHelper() error {
	for helper, maps := range map[string][]IDMap{"newuidmap": m.UIDMap, "newgidmap": m.GIDMap} {
		args := append([]string{strconv.Itoa(m.PID)}, strings.Fields(string(lines(maps)))...)
		if out, err := exec.Command(helper, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", helper, err, out)
		}
	}
	return nil
}

// String writes the same files with printf.
func (m Maps) String() string {
	return fmt.Sprintf("printf %%s %s >%s && printf %%s %s >%s",
		quote(string(lines(m.UIDMap))), m.file("uid_map"), quote(string(lines(m.GIDMap))), m.file("gid_map"))
}

func (m Maps) file(name string) string { return fmt.Sprintf("/proc/%d/%s", m.PID, name) }

// maySetgroups reports whether a new namespace of the caller's may allow
// setgroups(2): once it is denied, it is so for all namespaces below.
func maySetgroups() bool {
	text, err := os.ReadFile("/proc/self/setgroups")
	return err == nil && os.Geteuid() == 0 && strings.TrimSpace(string(text)) == "allow"
}

// ownOnly reports whether maps is the one map that needs no privilege.
func ownOnly(maps []IDMap, id int) bool {
	return len(maps) == 1 && maps[0].Count == 1 && int(maps[0].Outside) == id
}

func lines(maps []IDMap) (text []byte) {
	for _, m := range maps {
		text = fmt.Appendf(text, "%d %d %d\n", m.Inside, m.Outside, m.Count)
	}
	return text
}

// Subordinate reads the numbers that a user may give away: the user's lines of
// /etc/subuid or /etc/subgid (subuid(5)), in the order of the file, as maps
// that follow each other from the inside number 1 on. 0 is left for the user
// itself. A line:
//
//	alice:100000:65536
func Subordinate(r io.Reader, user string, uid int) ([]IDMap, error) {
	next, maps := uint32(1), []IDMap(nil)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Split(strings.TrimSpace(lines.Text()), ":")
		if len(f) != 3 || f[0] != user && f[0] != strconv.Itoa(uid) {
			continue
		}
		start, err1 := strconv.ParseUint(f[1], 10, 32)
		count, err2 := strconv.ParseUint(f[2], 10, 32)
		if err1 != nil || err2 != nil || start+count > 1<<32 {
			return nil, fmt.Errorf("subordinate IDs of %s: bad line %q", user, lines.Text())
		}
		maps = append(maps, IDMap{Inside: next, Outside: uint32(start), Count: uint32(count)})
		next += uint32(count)
	}
	return maps, lines.Err()
}

func sysMap(maps []IDMap) []syscall.SysProcIDMap {
	var out []syscall.SysProcIDMap
	for _, m := range maps {
		out = append(out, syscall.SysProcIDMap{ContainerID: int(m.Inside), HostID: int(m.Outside), Size: int(m.Count)})
	}
	return out
}
