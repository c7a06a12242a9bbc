package toolbox

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// echo knows -n only: a lesson's words are printed as they are.
func echo(c *command) error {
	words, end := c.args, "\n"
	if len(words) > 0 && words[0] == "-n" {
		words, end = words[1:], ""
	}
	_, err := io.WriteString(c.out, strings.Join(words, " ")+end)
	return err
}

// eachFile calls fn with every file, or with standard input if there is none or it is called "-". A file that
// cannot be read does not keep the others from being read.
func (c *command) eachFile(names []string, fn func(name string, r io.Reader) error) error {
	if len(names) == 0 {
		names = []string{"-"}
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, c.oneFile(name, fn))
	}
	return errors.Join(errs...)
}

func (c *command) oneFile(name string, fn func(name string, r io.Reader) error) error {
	if name == "-" {
		return fn(name, c.in)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return fn(name, f)
}

func cat(c *command) error {
	_, files, err := c.parse("")
	if err != nil {
		return err
	}
	return c.eachFile(files, func(_ string, r io.Reader) error {
		_, err := io.Copy(c.out, r)
		return err
	})
}

func head(c *command) error {
	c.countArgument()
	o, files, err := c.parse("n: c:")
	if err != nil {
		return err
	}
	return c.eachFile(files, func(_ string, r io.Reader) error {
		if o.has("c") {
			n := number(o["c"])
			if n < 0 {
				return usagef("%q is not a number of bytes", o["c"])
			}
			_, err := io.CopyN(c.out, r, int64(n))
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		return copyLines(c.out, r, lineCount(o))
	})
}

// countArgument rewrites the old form "-5" to "-n 5".
func (c *command) countArgument() {
	if len(c.args) > 0 && strings.HasPrefix(c.args[0], "-") && number(c.args[0][1:]) >= 0 {
		c.args = append([]string{"-n", c.args[0][1:]}, c.args[1:]...)
	}
}

func lineCount(o options) int {
	if !o.has("n") {
		return 10
	}
	return number(strings.TrimLeft(o["n"], "+-"))
}

func copyLines(w io.Writer, r io.Reader, n int) error {
	if n < 0 {
		return usagef("not a number of lines")
	}
	lines := bufio.NewReader(r)
	for ; n > 0; n-- {
		line, err := lines.ReadBytes('\n')
		if _, werr := w.Write(line); werr != nil {
			return werr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func wc(c *command) error {
	o, files, err := c.parse("l w c")
	if err != nil {
		return err
	}
	all := len(o) == 0
	return c.eachFile(files, func(name string, r io.Reader) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		var fields []string
		add := func(option string, n int) {
			if all || o.has(option) {
				fields = append(fields, strconv.Itoa(n))
			}
		}
		add("l", strings.Count(string(data), "\n"))
		add("w", len(strings.Fields(string(data))))
		add("c", len(data))
		if name != "-" {
			fields = append(fields, name)
		}
		_, err = fmt.Fprintln(c.out, strings.Join(fields, " "))
		return err
	})
}

func seq(c *command) error {
	from, step := 1, 1
	args := make([]int, len(c.args))
	for i, arg := range c.args {
		n, err := strconv.Atoi(arg)
		if err != nil {
			return usagef("%q is not a whole number", arg)
		}
		args[i] = n
	}
	switch len(args) {
	case 1:
	case 2:
		from = args[0]
	case 3:
		from, step = args[0], args[1]
	default:
		return usagef("one to three operands are needed")
	}
	if step == 0 {
		return usagef("the step must not be zero")
	}
	w := bufio.NewWriter(c.out)
	for n, last := from, args[len(args)-1]; (step > 0 && n <= last) || (step < 0 && n >= last); n += step {
		fmt.Fprintln(w, n)
	}
	return w.Flush()
}

func yes(c *command) error {
	word := strings.Join(c.args, " ")
	if word == "" {
		word = "y"
	}
	block := []byte(strings.Repeat(word+"\n", 1+4096/(len(word)+1)))
	for {
		if _, err := c.out.Write(block); err != nil {
			return err
		}
	}
}

// tr translates the characters of SET1 to those of SET2, or deletes them. Sets are characters and ranges (a-z).
func tr(c *command) error {
	o, sets, err := c.operands("d", 1)
	if err != nil {
		return err
	}
	if want := 2 - len(o); len(sets) != want {
		return usagef("%d sets are needed", want)
	}
	from := []rune(expandSet(sets[0]))
	table := map[rune]rune{}
	for i, r := range from {
		table[r] = -1 // strings.Map drops it
		if !o.has("d") {
			to := []rune(expandSet(sets[1]))
			if len(to) == 0 {
				return usagef("SET2 is empty")
			}
			table[r] = to[min(i, len(to)-1)]
		}
	}
	data, err := io.ReadAll(c.in)
	if err != nil {
		return err
	}
	_, err = io.WriteString(c.out, strings.Map(func(r rune) rune {
		if to, ok := table[r]; ok {
			return to
		}
		return r
	}, string(data)))
	return err
}

// expandSet writes out ranges and the escapes \n and \t.
func expandSet(set string) string {
	set = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\0`, "\x00", `\\`, `\`).Replace(set)
	runes := []rune(set)
	var b strings.Builder
	for i := 0; i < len(runes); i++ {
		if i+2 < len(runes) && runes[i+1] == '-' && runes[i] <= runes[i+2] {
			for r := runes[i]; r <= runes[i+2] && r <= utf8.MaxRune; r++ {
				b.WriteRune(r)
			}
			i += 2
			continue
		}
		b.WriteRune(runes[i])
	}
	return b.String()
}

// number reads a whole number that is not negative; -1 says that it is none.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || strings.HasPrefix(s, "+") {
		return -1
	}
	return n
}

// compilePattern reads a pattern as an extended regular expression, or literally with -F.
func compilePattern(pattern string, o options) (*regexp.Regexp, error) {
	if o.has("F") {
		pattern = regexp.QuoteMeta(pattern)
	}
	if o.has("i") {
		pattern = "(?i)" + pattern
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, usagef("%v", err)
	}
	return re, nil
}
