package toolbox

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// eachFile calls fn with every file, or with standard input if there is none or it is called "-". A file that
// cannot be read does not keep the others from being read.
func (c *command) eachFile(names []string, fn func(name string, f *os.File) error) error {
	if len(names) == 0 {
		names = []string{"-"}
	}
	return each(names, func(name string) error {
		if name == "-" {
			return fn(name, c.in)
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		return fn(name, f)
	})
}

func cat(c *command) error {
	return c.eachFile(c.args, func(_ string, f *os.File) error {
		_, err := io.Copy(c.out, f)
		return err
	})
}

func head(c *command) error {
	lines, err := c.number("n", 10)
	if err != nil {
		return err
	}
	size, err := c.number("c", math.MaxInt)
	if err != nil {
		return err
	}
	if c.has("c") {
		lines = math.MaxInt
	}
	return c.eachFile(c.args, func(_ string, f *os.File) error {
		r := bufio.NewReader(io.LimitReader(f, int64(size)))
		for range lines {
			line, err := r.ReadBytes('\n')
			if _, werr := c.out.Write(line); werr != nil || errors.Is(err, io.EOF) {
				return werr
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// tail prints the end of a file; with -f it goes on printing what is added, until a signal ends it. It looks for
// new bytes a few times a second: a poll is simple and works on every file system.
func tail(c *command) error {
	n, err := c.number("n", 10)
	if err != nil {
		return err
	}
	return c.eachFile(c.args, func(_ string, f *os.File) error {
		data, err := io.ReadAll(f)
		if err != nil {
			return err
		}
		lines := bytes.SplitAfter(data, []byte("\n"))
		if len(lines[len(lines)-1]) == 0 { // what follows the last newline
			lines = lines[:len(lines)-1]
		}
		_, err = c.out.Write(bytes.Join(lines[max(0, len(lines)-n):], nil))
		for err == nil && c.has("f") {
			time.Sleep(200 * time.Millisecond)
			_, err = io.Copy(c.out, f)
		}
		return err
	})
}

func wc(c *command) error {
	return c.eachFile(c.args, func(name string, f *os.File) error {
		data, err := io.ReadAll(f)
		if err != nil {
			return err
		}
		var words []string
		for _, count := range [...]struct {
			option string
			n      int
		}{{"l", bytes.Count(data, []byte("\n"))}, {"w", len(bytes.Fields(data))}, {"c", len(data)}} {
			if len(c.options) == 0 || c.has(count.option) {
				words = append(words, strconv.Itoa(count.n))
			}
		}
		if name != "-" {
			words = append(words, name)
		}
		_, err = fmt.Fprintln(c.out, strings.Join(words, " "))
		return err
	})
}

// grep knows extended regular expressions, as "grep -E" does. The status is 0 if a line was selected, 1 if
// none was, 2 after an error: grep(1).
func grep(c *command) error {
	pattern, files := c.args[0], c.args[1:]
	if c.has("i") {
		pattern = "(?i)" + pattern
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return usagef("%v", err)
	}
	selected := 0
	err = c.eachFile(files, func(name string, f *os.File) error {
		prefix := ""
		if len(files) > 1 {
			prefix = name + ":"
		}
		n, err := c.grepFile(re, f, prefix)
		selected += n
		return err
	})
	switch {
	case err != nil:
		fmt.Fprintf(c.err, "grep: %v\n", err)
		return status(2)
	case selected == 0:
		return status(1)
	}
	return nil
}

// grepFile prints what was asked for of one file, and returns how many lines were selected.
func (c *command) grepFile(re *regexp.Regexp, f *os.File, prefix string) (selected int, err error) {
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20) // bytes; the longest line
	for number := 1; lines.Scan(); number++ {
		if re.Match(lines.Bytes()) == c.has("v") {
			continue
		}
		selected++
		switch {
		case c.has("c"), c.has("q"):
		case c.has("n"):
			fmt.Fprintf(c.out, "%s%d:%s\n", prefix, number, lines.Bytes())
		default:
			fmt.Fprintf(c.out, "%s%s\n", prefix, lines.Bytes())
		}
	}
	if c.has("c") {
		fmt.Fprintf(c.out, "%s%d\n", prefix, selected)
	}
	return selected, lines.Err()
}
