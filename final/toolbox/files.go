package toolbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func mkdir(c *command) error {
	create, mode := os.Mkdir, fs.FileMode(0o777)
	if c.has("p") {
		create = os.MkdirAll
	}
	if c.has("m") {
		mode = 0o700 // until it is changed
	}
	return each(c.args, func(dir string) error {
		if err := create(dir, mode); err != nil || !c.has("m") {
			return err
		}
		return changeMode(c.options["m"], dir)
	})
}

func rmdir(c *command) error {
	return each(c.args, func(dir string) error { return pathError("rmdir", dir, syscall.Rmdir(dir)) })
}

func rm(c *command) error {
	if len(c.args) == 0 && !c.has("f") {
		return usagef("missing operand")
	}
	return each(c.args, func(name string) error {
		info, err := os.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && c.has("f"):
			return nil
		case err != nil:
			return err
		case c.has("r") || c.has("R"):
			return os.RemoveAll(name)
		case info.IsDir():
			return pathError("remove", name, syscall.EISDIR)
		}
		return os.Remove(name)
	})
}

func touch(c *command) error {
	return each(c.args, func(name string) error {
		err := os.Chtimes(name, time.Now(), time.Now())
		if errors.Is(err, fs.ErrNotExist) {
			err = os.WriteFile(name, nil, 0o666)
		}
		return err
	})
}

func ln(c *command) error {
	target, name := c.args[0], inside(c.args[1], c.args[0])
	if c.has("f") {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if c.has("s") {
		return os.Symlink(target, name)
	}
	return os.Link(target, name)
}

func readlink(c *command) error {
	return each(c.args, func(name string) error {
		target, err := os.Readlink(name)
		if c.has("f") {
			if target, err = filepath.EvalSymlinks(name); err == nil {
				target, err = filepath.Abs(target)
			}
		}
		if err == nil {
			fmt.Fprintln(c.out, target)
		}
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
	last := len(c.args) - 1
	return each(c.args[:last], func(source string) error {
		target := inside(c.args[last], source)
		err := os.Rename(source, target)
		if !errors.Is(err, syscall.EXDEV) { // another file system, a volume for example
			return err
		}
		if err := copyTree(source, target); err != nil {
			return err
		}
		return os.RemoveAll(source)
	})
}

func cp(c *command) error {
	last := len(c.args) - 1
	return each(c.args[:last], func(source string) error {
		info, err := os.Stat(source)
		if err != nil {
			return err
		}
		if info.IsDir() && len(c.options) == 0 {
			return usagef("%s is a directory: -r is needed", source)
		}
		return copyTree(source, inside(c.args[last], source))
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
