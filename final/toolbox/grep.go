package toolbox

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
)

// grepper is one search through some files.
type grepper struct {
	*command
	o        options
	re       *regexp.Regexp
	withName bool // print the file's name before each line
	found    bool
}

// grep knows extended regular expressions, as "grep -E" does. The status is 0 if a line was selected, 1 if
// none was, 2 after an error: grep(1).
func grep(c *command) error {
	o, rest, err := c.operands("c h i l n q r v E F", 1)
	if err != nil {
		return err
	}
	re, err := compilePattern(rest[0], o)
	if err != nil {
		return err
	}
	files := rest[1:]
	g := &grepper{command: c, o: o, re: re, withName: (len(files) > 1 || o.has("r")) && !o.has("h")}
	if o.has("r") {
		files, err = regularFilesBelow(files)
	}
	if err = errors.Join(err, c.eachFile(files, g.file)); err != nil {
		fmt.Fprintf(c.err, "grep: %v\n", err)
		return status(2)
	}
	if !g.found {
		return status(1)
	}
	return nil
}

func (g *grepper) file(name string, r io.Reader) error {
	prefix := ""
	if g.withName {
		prefix = name + ":"
	}
	count, number := 0, 0
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20) // bytes; the longest line
	for lines.Scan() {
		number++
		if g.re.Match(lines.Bytes()) == g.o.has("v") {
			continue
		}
		g.found = true
		count++
		switch {
		case g.o.has("q"):
			return nil
		case g.o.has("l"):
			fmt.Fprintln(g.out, name)
			return nil
		case g.o.has("c"):
		case g.o.has("n"):
			fmt.Fprintf(g.out, "%s%d:%s\n", prefix, number, lines.Bytes())
		default:
			fmt.Fprintf(g.out, "%s%s\n", prefix, lines.Bytes())
		}
	}
	if g.o.has("c") && !g.o.has("q") && !g.o.has("l") {
		fmt.Fprintf(g.out, "%s%d\n", prefix, count)
	}
	return lines.Err()
}

// regularFilesBelow lists the files of whole trees; without a name, of the working directory.
func regularFilesBelow(roots []string) ([]string, error) {
	if len(roots) == 0 {
		roots = []string{"."}
	}
	var files []string
	var errs []error
	for _, root := range roots {
		errs = append(errs, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				files = append(files, path)
			}
			return err
		}))
	}
	return files, errors.Join(errs...)
}
