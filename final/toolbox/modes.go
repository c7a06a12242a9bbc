package toolbox

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// recursively calls fn for the files, and with -R for everything below them.
func (c *command) recursively(files []string, fn func(string) error) error {
	if !c.has("R") {
		return each(files, fn)
	}
	return each(files, func(name string) error {
		return filepath.WalkDir(name, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return fn(path)
		})
	})
}

func chmod(c *command) error {
	return c.recursively(c.args[1:], func(name string) error { return changeMode(c.args[0], name) })
}

// changeMode applies a change like "644" or "u+x" to the mode of a file.
func changeMode(change, name string) error {
	var s unix.Stat_t
	if err := unix.Stat(name, &s); err != nil {
		return pathError("stat", name, err)
	}
	mode, err := changedMode(change, s.Mode&0o7777)
	if err != nil {
		return err
	}
	return pathError("chmod", name, unix.Chmod(name, mode))
}

func changedMode(change string, mode uint32) (uint32, error) {
	if n, err := strconv.ParseUint(change, 8, 12); err == nil {
		return uint32(n), nil
	}
	var who, bits uint32
	at := 0
	for ; at < len(change) && strings.IndexByte("ogua", change[at]) >= 0; at++ {
		who |= [...]uint32{0o007, 0o070, 0o700, 0o777}[strings.IndexByte("ogua", change[at])]
	}
	if at == 0 {
		who = 0o777
	}
	operator, letters := change[at:min(at+1, len(change))], change[min(at+1, len(change)):]
	for _, letter := range []byte(letters) {
		i := strings.IndexByte("xwr", letter)
		if i < 0 {
			return 0, usagef("%q is not a mode", change)
		}
		bits |= 0o111 << i & who
	}
	switch operator {
	case "+":
		return mode | bits, nil
	case "-":
		return mode &^ bits, nil
	case "=":
		return mode&^who | bits, nil
	}
	return 0, usagef("%q is not a mode", change)
}

func chown(c *command) error {
	ids := [2]int{-1, -1} // chown(2) leaves as it is what is -1
	for i, name := range strings.SplitN(c.args[0], ":", 2) {
		if name == "" {
			continue
		}
		file := [...]string{"passwd", "group"}[i]
		_, id := account(file, name)
		var err error
		if ids[i], err = strconv.Atoi(id); err != nil {
			return fmt.Errorf("%s is not in /etc/%s", name, file)
		}
	}
	return c.recursively(c.args[1:], func(path string) error { return os.Lchown(path, ids[0], ids[1]) })
}

// account finds a name or number in passwd(5) or group(5) of /etc; who is not there is called by what is known.
//
//	root:x:0:0:root:/root:/bin/sh
func account(file, key string) (name, id string) {
	text, err := os.ReadFile("/etc/" + file)
	if err != nil {
		return key, key
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(line, ":"); len(f) > 2 && (f[0] == key || f[2] == key) {
			return f[0], f[2]
		}
	}
	return key, key
}

func userName(uid uint32) string {
	name, _ := account("passwd", fmt.Sprint(uid))
	return name
}

func groupName(gid uint32) string {
	name, _ := account("group", fmt.Sprint(gid))
	return name
}
