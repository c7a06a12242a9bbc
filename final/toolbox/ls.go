package toolbox

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// entry is a line of ls: what it is called there, and what lstat(2) says of it.
type entry struct {
	name, path string
	info       fs.FileInfo
}

func ls(c *command) error {
	o, names, err := c.parse("1 a A d h i l n R")
	if err != nil {
		return err
	}
	if len(names) == 0 {
		names = []string{"."}
	}
	var files []entry
	var dirs []string
	err = each(names, func(name string) error {
		info, err := os.Lstat(name)
		if err != nil {
			return err
		}
		if real, err := os.Stat(name); err == nil && real.IsDir() && !o.has("d") && (info.IsDir() || !o.has("l")) {
			dirs = append(dirs, name)
			return nil
		}
		files = append(files, entry{name, name, info})
		return nil
	})
	c.list(o, files)
	titled := len(names) > 1 || o.has("R")
	for i, dir := range dirs {
		if titled {
			fmt.Fprintf(c.out, "%s%s:\n", strings.Repeat("\n", min(1, i+len(files))), dir)
		}
		err = errors.Join(err, c.directory(o, dir))
	}
	return err
}

// directory lists one directory, and with -R those below it.
func (c *command) directory(o options, dir string) error {
	found, err := os.ReadDir(dir)
	var entries []entry
	if o.has("a") {
		for _, dot := range []string{".", ".."} {
			if info, err := os.Lstat(filepath.Join(dir, dot)); err == nil {
				entries = append(entries, entry{dot, filepath.Join(dir, dot), info})
			}
		}
	}
	var below []string
	for _, f := range found {
		info, ierr := f.Info()
		if strings.HasPrefix(f.Name(), ".") && !o.has("a") && !o.has("A") || ierr != nil {
			continue
		}
		path := filepath.Join(dir, f.Name())
		entries = append(entries, entry{f.Name(), path, info})
		if f.IsDir() && o.has("R") {
			below = append(below, path)
		}
	}
	c.list(o, entries)
	for _, dir := range below {
		fmt.Fprintf(c.out, "\n%s:\n", dir)
		err = errors.Join(err, c.directory(o, dir))
	}
	return err
}

// list prints entries one to a line, with details, or in columns on a terminal.
func (c *command) list(o options, entries []entry) {
	if o.has("l") || o.has("n") {
		c.details(o, entries)
		return
	}
	if width := c.columns(); width > 0 && !o.has("1") && !o.has("i") {
		c.grid(entries, width)
		return
	}
	for _, e := range entries {
		if o.has("i") {
			fmt.Fprintf(c.out, "%d ", e.stat().Ino)
		}
		fmt.Fprintln(c.out, e.name)
	}
}

// details prints a line for each entry. tabwriter puts a blank before the first cell, too, which is taken away.
func (c *command) details(o options, entries []entry) {
	var lines bytes.Buffer
	w := tabwriter.NewWriter(&lines, 0, 1, 1, ' ', tabwriter.AlignRight)
	for _, e := range entries {
		fmt.Fprintln(w, e.long(o))
	}
	w.Flush()
	for line := range bytes.Lines(lines.Bytes()) {
		_, _ = c.out.Write(bytes.TrimPrefix(line, []byte(" ")))
	}
}

// columns is the width of the terminal in characters; 0 if the output is none.
func (c *command) columns() int {
	f, ok := c.out.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return max(width, 1)
}

// grid prints names in as many equally wide columns as there is room for, downwards as ls(1) does.
func (c *command) grid(entries []entry, width int) {
	longest := 1
	for _, e := range entries {
		longest = max(longest, len([]rune(e.name)))
	}
	columns := max(1, width/(longest+2))
	rows := (len(entries) + columns - 1) / columns
	for row := range rows {
		var line strings.Builder
		for i := row; i < len(entries); i += rows {
			fmt.Fprintf(&line, "%-*s", longest+2, entries[i].name)
		}
		fmt.Fprintln(c.out, strings.TrimRight(line.String(), " "))
	}
}

func (e entry) stat() *syscall.Stat_t {
	if s, ok := e.info.Sys().(*syscall.Stat_t); ok {
		return s
	}
	return &syscall.Stat_t{}
}

// long is the line of "ls -l", with tabs between right-aligned cells.
func (e entry) long(o options) string {
	s := e.stat()
	owner, group := userName(s.Uid), groupName(s.Gid)
	if o.has("n") {
		owner, group = fmt.Sprint(s.Uid), fmt.Sprint(s.Gid)
	}
	size := fmt.Sprint(e.info.Size())
	switch {
	case e.info.Mode()&fs.ModeDevice != 0:
		size = fmt.Sprintf("%d, %d", unix.Major(s.Rdev), unix.Minor(s.Rdev))
	case o.has("h"):
		size = humanSize(uint64(e.info.Size()))
	}
	line := fmt.Sprintf("%s\t%d\t%s\t%s\t%s\t %s %s", modeString(e.info.Mode()), s.Nlink, owner, group, size,
		e.info.ModTime().Format("Jan _2 15:04"), e.name)
	if o.has("i") {
		line = fmt.Sprintf("%d\t", s.Ino) + line
	}
	if target, err := os.Readlink(e.path); err == nil {
		line += " -> " + target
	}
	return line
}

// modeString is the mode as ls(1) writes it: "drwxr-xr-x"; Go's own String writes the kinds differently.
func modeString(m fs.FileMode) string {
	kind := byte('-')
	for _, k := range []struct {
		bit    fs.FileMode
		letter byte
	}{{fs.ModeDir, 'd'}, {fs.ModeSymlink, 'l'}, {fs.ModeNamedPipe, 'p'}, {fs.ModeSocket, 's'},
		{fs.ModeDevice, 'b'}, {fs.ModeCharDevice, 'c'}} {
		if m&k.bit != 0 {
			kind = k.letter
		}
	}
	s := []byte(string(kind) + m.Perm().String()[1:])
	for _, special := range []struct {
		bit          fs.FileMode
		at           int
		exec, noExec byte
	}{{fs.ModeSetuid, 3, 's', 'S'}, {fs.ModeSetgid, 6, 's', 'S'}, {fs.ModeSticky, 9, 't', 'T'}} {
		if m&special.bit == 0 {
			continue
		}
		if s[special.at] == 'x' {
			s[special.at] = special.exec
		} else {
			s[special.at] = special.noExec
		}
	}
	return string(s)
}

// humanSize is a number of bytes as "1.5M".
func humanSize(size uint64) string {
	n, unit := float64(size), 0
	for n >= 1024 && unit < 5 {
		n /= 1024
		unit++
	}
	if unit == 0 {
		return fmt.Sprint(size)
	}
	return fmt.Sprintf("%.1f%c", n, " KMGTP"[unit])
}
