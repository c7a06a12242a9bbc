package observe

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// mounts is a process's mountinfo, without what only numbers: where, what, how,
// and whether mounts below it spread.
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime shared:1 - ext3 /dev/root rw,errors=continue
//	(1)(2)(3)   (4)   (5)      (6)      (7)   (8) (9)   (10)         (11)
//
// A mount of less than a whole file system says of what (4): a bind mount.
func mounts(dir string) []string {
	var lines []string
	for line := range strings.Lines(text(dir + "/mountinfo")) {
		before, after, _ := strings.Cut(line, " - ")
		f, kind := strings.Fields(before), first(after)
		if len(f) < 6 {
			continue
		}
		s := fmt.Sprintf("%s  %s  %s", f[4], kind, f[5])
		if len(f) > 6 {
			s += "  " + strings.Join(f[6:], " ")
		}
		if f[3] != "/" {
			s += "  from " + f[3]
		}
		lines = append(lines, s)
	}
	return lines
}

// files lists the files in a directory, but for those that grow by themselves.
func files(dir string) []string {
	var lines []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && e.Name() != "journal" && e.Name() != "json.log" {
			lines = append(lines, fmt.Sprintf("%-14s %5d bytes", e.Name(), info.Size()))
		}
	}
	return lines
}

// devices lists the container's /dev: below Root until that has become "/".
func (w place) devices(root string) []string {
	if w.child == w.engine || root == "" {
		return nil
	}
	dir := w.child + "/root" + root + "/dev"
	if _, err := os.Stat(dir); err != nil {
		dir = w.child + "/root/dev"
	}
	if w.shares("mnt") {
		return nil
	}
	var lines []string
	entries, _ := os.ReadDir(dir) // it may not be there yet
	for _, e := range entries {
		lines = append(lines, node(filepath.Join(dir, e.Name())))
	}
	return lines
}

// node is like one line of ls -l: "null     crw-rw-rw- 1,3".
func node(path string) string {
	name := filepath.Base(path)
	var st unix.Stat_t
	info, err := os.Lstat(path)
	if err != nil || unix.Lstat(path, &st) != nil {
		return name
	}
	switch info.Mode().Type() {
	case fs.ModeSymlink:
		return name + " -> " + link(path)
	case fs.ModeDevice | fs.ModeCharDevice, fs.ModeDevice:
		return fmt.Sprintf("%-8s %s %d,%d", name, strings.TrimPrefix(info.Mode().String(), "D"), unix.Major(st.Rdev), unix.Minor(st.Rdev))
	}
	return fmt.Sprintf("%-8s %s", name, info.Mode())
}

// groups says which of the container's cgroups there are, and what the steps'
// files in them hold.
func groups(s Subject) []string {
	var lines []string
	for _, dir := range s.Groups {
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		lines = append(lines, dir)
		for rule := range strings.Lines(text(filepath.Join(dir, "devices.list"))) {
			lines = append(lines, "devices.list: "+strings.TrimSpace(rule))
		}
	}
	for _, file := range s.Limits {
		if _, err := os.Stat(file); err == nil {
			lines = append(lines, fmt.Sprintf("%s: %s", filepath.Base(file), text(file)))
		}
	}
	return lines
}
