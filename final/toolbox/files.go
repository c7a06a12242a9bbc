package toolbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// each calls fn for every name and collects the errors: one bad operand does not spare the others.
func each(names []string, fn func(string) error) error {
	var errs []error
	for _, name := range names {
		errs = append(errs, fn(name))
	}
	return errors.Join(errs...)
}

func mkdir(c *command) error {
	o, dirs, err := c.operands("p m:", 1)
	if err != nil {
		return err
	}
	mode, chmod := fs.FileMode(0o777), o.has("m")
	if chmod {
		if mode, err = octalMode(o["m"]); err != nil {
			return err
		}
	}
	return each(dirs, func(dir string) error {
		make := os.Mkdir
		if o.has("p") {
			make = os.MkdirAll
		}
		if err := make(dir, mode); err != nil || !chmod {
			return err
		}
		return os.Chmod(dir, mode) // mkdir(2) takes the umask away
	})
}

func rmdir(c *command) error {
	_, dirs, err := c.operands("", 1)
	if err != nil {
		return err
	}
	return each(dirs, func(dir string) error {
		if err := syscall.Rmdir(dir); err != nil {
			return &os.PathError{Op: "rmdir", Path: dir, Err: err}
		}
		return nil
	})
}

func rm(c *command) error {
	o, files, err := c.parse("r f R")
	if err != nil {
		return err
	}
	if len(files) == 0 && !o.has("f") {
		return usagef("missing operand")
	}
	return each(files, func(name string) error {
		info, err := os.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && o.has("f"):
			return nil
		case err != nil:
			return err
		case o.has("r") || o.has("R"):
			return os.RemoveAll(name)
		case info.IsDir():
			return &os.PathError{Op: "remove", Path: name, Err: syscall.EISDIR}
		}
		return os.Remove(name)
	})
}

func touch(c *command) error {
	o, files, err := c.operands("c", 1)
	if err != nil {
		return err
	}
	return each(files, func(name string) error {
		time := time.Now()
		err := os.Chtimes(name, time, time)
		if !errors.Is(err, fs.ErrNotExist) || o.has("c") {
			return err
		}
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o666)
		if err != nil {
			return err
		}
		return f.Close()
	})
}

func ln(c *command) error {
	o, names, err := c.operands("s f", 2)
	if err != nil {
		return err
	}
	target, name := names[0], inside(names[1], names[0])
	if o.has("f") {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if o.has("s") {
		return os.Symlink(target, name)
	}
	return os.Link(target, name)
}

func readlink(c *command) error {
	o, files, err := c.operands("f", 1)
	if err != nil {
		return err
	}
	return each(files, func(name string) error {
		read := os.Readlink
		if o.has("f") {
			read = filepath.EvalSymlinks
		}
		target, err := read(name)
		if err != nil {
			return err
		}
		if o.has("f") {
			target, err = filepath.Abs(target)
		}
		fmt.Fprintln(c.out, target)
		return err
	})
}

// inside is where a source lands: below target if that is a directory, else at target itself.
func inside(target, source string) string {
	if info, err := os.Stat(target); err == nil && info.IsDir() {
		return filepath.Join(target, filepath.Base(source))
	}
	return target
}

func mv(c *command) error {
	_, names, err := c.operands("", 2)
	if err != nil {
		return err
	}
	target := names[len(names)-1]
	return each(names[:len(names)-1], func(source string) error {
		err := os.Rename(source, inside(target, source))
		if !errors.Is(err, syscall.EXDEV) { // another file system, a volume for example
			return err
		}
		if err := copyTree(source, inside(target, source)); err != nil {
			return err
		}
		return os.RemoveAll(source)
	})
}

func cp(c *command) error {
	o, names, err := c.operands("r R a", 2)
	if err != nil {
		return err
	}
	target := names[len(names)-1]
	return each(names[:len(names)-1], func(source string) error {
		info, err := os.Stat(source)
		if err != nil {
			return err
		}
		if info.IsDir() && len(o) == 0 {
			return usagef("%s is a directory: -r is needed", source)
		}
		return copyTree(source, inside(target, source))
	})
}

// copyTree copies files, directories and symbolic links with their permissions.
func copyTree(source, target string) error {
	return filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		to := filepath.Join(target, strings.TrimPrefix(path, source))
		switch {
		case info.IsDir():
			return os.MkdirAll(to, info.Mode().Perm())
		case info.Mode()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, to)
		}
		return copyFile(path, to, info.Mode().Perm())
	})
}

func copyFile(source, target string, mode fs.FileMode) error {
	from, err := os.Open(source)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}

// recursively calls fn for the files, and with -R for everything below them.
func recursively(o options, files []string, fn func(string) error) error {
	return each(files, func(name string) error {
		if !o.has("R") {
			return fn(name)
		}
		return filepath.WalkDir(name, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return fn(path)
		})
	})
}

func chmod(c *command) error {
	o, rest, err := c.operands("R", 2)
	if err != nil {
		return err
	}
	return recursively(o, rest[1:], func(name string) error {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		mode, err := changedMode(rest[0], info.Mode())
		if err != nil {
			return err
		}
		return os.Chmod(name, mode)
	})
}

// changedMode applies "644" or "u+x" to a mode.
func changedMode(change string, mode fs.FileMode) (fs.FileMode, error) {
	at := strings.IndexAny(change, "+-=")
	if at < 0 {
		return octalMode(change)
	}
	var who, bits fs.FileMode
	for _, class := range change[:at] {
		who |= map[rune]fs.FileMode{'u': 0o700, 'g': 0o070, 'o': 0o007, 'a': 0o777}[class]
	}
	if at == 0 {
		who = 0o777
	}
	for _, bit := range change[at+1:] {
		b, ok := map[rune]fs.FileMode{'r': 0o444, 'w': 0o222, 'x': 0o111}[bit]
		if !ok {
			return 0, usagef("%q is not a mode", change)
		}
		bits |= b
	}
	switch change[at] {
	case '+':
		return mode | bits&who, nil
	case '-':
		return mode &^ (bits & who), nil
	}
	return mode&^who | bits&who, nil
}

func octalMode(s string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(s, 8, 12)
	if err != nil {
		return 0, usagef("%q is not a mode", s)
	}
	mode := fs.FileMode(n & 0o777)
	for bit, flag := range map[uint64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if n&bit != 0 {
			mode |= flag
		}
	}
	return mode, nil
}

func chown(c *command) error {
	o, rest, err := c.operands("R", 2)
	if err != nil {
		return err
	}
	name, group, _ := strings.Cut(rest[0], ":")
	uid, gid := -1, -1 // chown(2): -1 leaves it as it is
	if name != "" {
		if uid, err = userID(name); err != nil {
			return err
		}
	}
	if group != "" {
		if gid, err = groupID(group); err != nil {
			return err
		}
	}
	return recursively(o, rest[1:], func(path string) error { return os.Lchown(path, uid, gid) })
}

func userID(name string) (int, error) {
	if n := number(name); n >= 0 {
		return n, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(u.Uid)
}

func groupID(name string) (int, error) {
	if n := number(name); n >= 0 {
		return n, nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}
