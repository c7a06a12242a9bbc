package toolbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// entry is a line of ls: what it is called there, and what lstat(2) says of it.
type entry struct {
	name, path string
	info       fs.FileInfo
}

func ls(c *command) error {
	names := c.args
	if len(names) == 0 {
		names = []string{"."}
	}
	var files []entry
	var dirs []string
	err := each(names, func(name string) error {
		info, err := os.Lstat(name)
		if err != nil {
			return err
		}
		real, err := os.Stat(name)
		if err == nil && real.IsDir() && !c.has("d") && (info.IsDir() || !c.has("l")) {
			dirs = append(dirs, name)
		} else {
			files = append(files, entry{name, name, info})
		}
		return nil
	})
	c.list(files)
	for i, dir := range dirs {
		if len(names) > 1 {
			fmt.Fprintf(c.out, "%s%s:\n", strings.Repeat("\n", min(1, i+len(files))), dir)
		}
		err = errors.Join(err, c.directory(dir))
	}
	return err
}

// directory lists one directory.
func (c *command) directory(dir string) error {
	found, err := os.ReadDir(dir)
	names := []string{".", ".."}
	for _, f := range found {
		names = append(names, f.Name())
	}
	var entries []entry
	for _, name := range names {
		path := filepath.Join(dir, name)
		if info, lerr := os.Lstat(path); lerr == nil && (c.has("a") || !strings.HasPrefix(name, ".")) {
			entries = append(entries, entry{name, path, info})
		}
	}
	c.list(entries)
	return err
}

// list prints entries one to a line, with details, or in columns on a terminal.
func (c *command) list(entries []entry) {
	long := c.has("l") || c.has("n")
	longest, columns := 0, 1
	if f, ok := c.out.(*os.File); ok && !long && !c.has("1") {
		for _, e := range entries {
			longest = max(longest, len([]rune(e.name))+2)
		}
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			columns = max(1, width/max(1, longest))
		}
	}
	rows := (len(entries) + columns - 1) / columns
	for row := range rows { // downwards, as ls(1) does
		var line strings.Builder
		for i := row; i < len(entries); i += rows {
			if long {
				line.WriteString(c.long(entries[i]))
			} else {
				fmt.Fprintf(&line, "%-*s", longest, entries[i].name)
			}
		}
		fmt.Fprintln(c.out, strings.TrimRight(line.String(), " "))
	}
}

// long is the line of "ls -l".
func (c *command) long(e entry) string {
	s, ok := e.info.Sys().(*syscall.Stat_t)
	if !ok {
		return e.name
	}
	owner, group := userName(s.Uid), groupName(s.Gid)
	if c.has("n") {
		owner, group = fmt.Sprint(s.Uid), fmt.Sprint(s.Gid)
	}
	size := fmt.Sprint(e.info.Size())
	switch {
	case e.info.Mode()&fs.ModeDevice != 0:
		size = fmt.Sprintf("%d, %d", unix.Major(s.Rdev), unix.Minor(s.Rdev))
	case c.has("h"):
		size = humanSize(uint64(e.info.Size()))
	}
	line := fmt.Sprintf("%s %3d %-8s %-8s %9s %s %s", modeString(e.info.Mode()), s.Nlink, owner, group, size,
		e.info.ModTime().Format("Jan _2 15:04"), e.name)
	if c.has("i") {
		line = fmt.Sprintf("%7d ", s.Ino) + line
	}
	if target, err := os.Readlink(e.path); err == nil {
		line += " -> " + target
	}
	return line
}

// modeString is the mode as ls(1) writes it: "drwxr-xr-x"; Go's own String writes the kinds differently.
func modeString(m fs.FileMode) string {
	s := []byte(m.Perm().String())
	for _, kind := range [...]struct {
		bit    fs.FileMode
		at     int
		letter byte
	}{
		{fs.ModeDir, 0, 'd'}, {fs.ModeSymlink, 0, 'l'}, {fs.ModeNamedPipe, 0, 'p'}, {fs.ModeSocket, 0, 's'},
		{fs.ModeDevice, 0, 'b'}, {fs.ModeCharDevice, 0, 'c'},
		{fs.ModeSetuid, 3, 's'}, {fs.ModeSetgid, 6, 's'}, {fs.ModeSticky, 9, 't'},
	} {
		switch {
		case m&kind.bit == 0:
		case kind.at > 0 && s[kind.at] == '-': // not executable: a capital letter
			s[kind.at] = kind.letter - 'a' + 'A'
		default:
			s[kind.at] = kind.letter
		}
	}
	return string(s)
}
