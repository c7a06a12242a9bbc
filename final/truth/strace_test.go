package truth

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// call is one system call that has returned.
type call struct {
	pid  int // the thread, as strace sees it
	name string
	args []string
	ret  string // what follows " = "
	line int    // in the trace, of its return
}

// ok tells whether the call succeeded.
func (c call) ok() bool { return !strings.HasPrefix(c.ret, "-1 ") && !strings.HasPrefix(c.ret, "?") }

// arg is argument i as strace writes it; "" if there are fewer.
func (c call) arg(i int) string {
	if i < len(c.args) {
		return c.args[i]
	}
	return ""
}

// The lines of strace -f -y -o:
//
//	41    mount("proc", "/proc/self/fd/9", "proc", MS_NOSUID, NULL) = 0
//	41    mount("proc", "/proc/self/fd/9", <unfinished ...>      another thread was faster
//	41    <... mount resumed>"proc", MS_NOSUID, NULL) = 0
//	41    +++ superseded by execve in pid 43 +++                  43 was a thread of 41, and is 41 from here on
//	41    +++ exited with 0 +++
var (
	lineForm       = regexp.MustCompile(`^(\d+) +(.*)$`)
	unfinishedForm = regexp.MustCompile(`^(.*) <unfinished \.\.\.>$`)
	resumedForm    = regexp.MustCompile(`^<\.\.\. \w+ resumed>(.*)$`)
	supersededForm = regexp.MustCompile(`^\+\+\+ superseded by execve in pid (\d+) \+\+\+$`)
	nameForm       = regexp.MustCompile(`^(\w+)\(`)
)

// parse reads a trace: the calls in the order in which they returned. What did
// not return, because its thread was gone first, is left out.
func parse(t *testing.T, path string) []call {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var calls []call
	begun := map[int]string{}
	for i, line := range strings.Split(string(text), "\n") {
		m := lineForm.FindStringSubmatch(line)
		if m == nil {
			require.Empty(t, line, "line %d of the trace", i+1)
			continue
		}
		pid, _ := strconv.Atoi(m[1])
		what := m[2]
		if s := supersededForm.FindStringSubmatch(what); s != nil {
			other, _ := strconv.Atoi(s[1])
			begun[pid] = begun[other]
			delete(begun, other)
			continue
		}
		if u := unfinishedForm.FindStringSubmatch(what); u != nil {
			begun[pid] = u[1]
			continue
		}
		if r := resumedForm.FindStringSubmatch(what); r != nil {
			what = begun[pid] + r[1]
			delete(begun, pid)
		}
		n := nameForm.FindStringSubmatch(what)
		if n == nil {
			continue // "+++ exited with 0 +++", and the like
		}
		c := call{pid: pid, name: n[1], line: i + 1}
		c.args, c.ret = split(what[len(n[0]):])
		calls = append(calls, c)
	}
	return calls
}

// split takes the arguments apart at the commas that are neither in quotes nor
// in brackets, and what the call returned.
func split(s string) (args []string, ret string) {
	depth, start := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			for i++; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
			}
		case '<': // a path, as in 5</dev/null>, or "<<" between numbers
			if end := descriptorEnd(s[i:]); end > 0 {
				i += end
			}
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth == 0 {
				_, ret, _ = strings.Cut(s[i:], " = ")
				return append(args, strings.TrimSpace(s[start:i])), strings.TrimSpace(ret)
			}
			depth--
		case ',':
			if depth == 0 {
				args, start = append(args, strings.TrimSpace(s[start:i])), i+1
			}
		}
	}
	return args, "?"
}

// descriptorEnd is where "</a/path>" ends, or 0 if it is none.
func descriptorEnd(s string) int {
	for _, begin := range []string{"</", "<socket:", "<pipe:", "<anon_inode:", "<mnt:", "<net:", "<pid:", "<uts:", "<ipc:", "<cgroup:", "<user:"} {
		if strings.HasPrefix(s, begin) {
			return strings.IndexByte(s, '>')
		}
	}
	return 0
}

// text is the string in an argument such as "/dev/null" or "a\nb"; "" of NULL.
func text(arg string) string {
	if !strings.HasPrefix(arg, `"`) {
		return ""
	}
	s, err := strconv.Unquote(octal.ReplaceAllStringFunc(arg, func(o string) string {
		n, err := strconv.ParseUint(o[1:], 8, 8)
		if err != nil {
			return o
		}
		return `\x` + strconv.FormatUint(0x100+n, 16)[1:]
	}))
	if err != nil {
		return arg // "cut off"...
	}
	return s
}

// octal is how strace writes a byte: \0, \33 or \377. Two backslashes are
// one.
var octal = regexp.MustCompile(`\\[0-7]{1,3}|\\\\`)

var descriptorForm = regexp.MustCompile(`^(\d+|AT_FDCWD)<(.*)>(\(deleted\))?$`)

// descriptor is the number and the path of an argument such as 5</dev/null>.
func descriptor(arg string) (number, path string) {
	if m := descriptorForm.FindStringSubmatch(arg); m != nil {
		return m[1], m[2]
	}
	number, _, _ = strings.Cut(arg, "<")
	return number, ""
}
