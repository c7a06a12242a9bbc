package cgroups

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"golang.org/x/sys/unix"
)

// Set writes one limit into a file of the group, and reads it back. The kernel
// checks, rounds and sometimes ignores what is written; many a container engine
// prints "limit set" after writing to a file that is no cgroup's.
//
// Do accepts what the kernel rounds (memory to whole pages, say), and Read tells;
// anything else is an error.
//
// Man page: cgroups(7)
type Set struct {
	Path     string // the file
	Value    string
	Optional bool `json:",omitempty"` // a kernel that has no such file is no error
}

// Do writes and reads back.
func (s Set) Do() error {
	err := writeFile(s.Path, s.Value)
	if errors.Is(err, fs.ErrNotExist) && exists(filepath.Dir(s.Path)) {
		if s.Optional {
			return nil
		}
		return fmt.Errorf("%w (this kernel has no such limit; it may be a matter of its configuration or boot options)", err)
	}
	if err != nil {
		return err
	}
	got, err := s.Read()
	if err == nil && !s.accepts(got) {
		err = fmt.Errorf("set %q to %q: the kernel shows %q", s.Path, s.Value, got)
	}
	return err
}

func (s Set) String() string {
	echo := "echo " + quote(s.Value) + " > " + quote(s.Path)
	if s.Optional {
		return "[ ! -e " + quote(s.Path) + " ] || " + echo
	}
	return echo
}

// Read returns the limit as the kernel has it: the file's text, or of a file
// with a line for each device that line. Where it is not Value, it was rounded
// or spelt in another way. A v2 cpuset keeps even a wish that the parent cannot
// grant; what counts is in a second file.
func (s Set) Read() (string, error) {
	path := s.Path
	if granted := path + ".effective"; exists(granted) {
		path = granted
	}
	text, err := os.ReadFile(path)
	key, _, keyed := strings.Cut(s.Value, " ")
	for line := range strings.Lines(string(text)) {
		if keyed && strings.HasPrefix(line, key+" ") {
			return strings.TrimSpace(line), err
		}
	}
	return strings.TrimSpace(string(text)), err
}

// accepts says whether what the kernel shows means what was asked for:
//
//	asked 64000001           got 64000000 (whole pages)
//	asked -1 (v1: no limit)  got 9223372036854771712
//	asked 1,0                got 0-1
//	asked 8:0 rbps=1048576   got 8:0 rbps=1048576 wbps=max riops=max wiops=max
//	asked +memory +pids      got cpu memory pids
func (s Set) accepts(got string) bool {
	name := filepath.Base(s.Path)
	if strings.HasPrefix(name, "cpuset.") {
		return maps.Equal(expand(got), expand(s.Value))
	}
	want, err := strconv.ParseInt(s.Value, 10, 64)
	n, err2 := strconv.ParseInt(got, 10, 64)
	if err == nil && err2 == nil {
		return n <= want && want-n < grain(name) || want == -1 && n > 1<<60
	}
	shown := strings.Fields(got)
	lacks := func(word string) bool { return !slices.Contains(shown, strings.TrimPrefix(word, "+")) }
	return !slices.ContainsFunc(strings.Fields(s.Value), lacks)
}

// grain is the unit in which the kernel counts: whatever is below it is lost.
func grain(name string) int64 {
	controller, rest, _ := strings.Cut(name, ".")
	switch controller {
	case "memory":
		return int64(os.Getpagesize())
	case "hugetlb": // hugetlb.2MB.max
		size, _, _ := strings.Cut(rest, ".")
		n, _ := units.RAMInBytes(size)
		return n
	}
	return 1
}

// expand makes of "0-2,4" the numbers 0 1 2 4.
func expand(list string) map[int]bool {
	numbers := map[int]bool{}
	for part := range strings.SplitSeq(list, ",") {
		var first, last int
		n, _ := fmt.Sscanf(part, "%d-%d", &first, &last)
		if n == 1 {
			last = first
		}
		for ; n > 0 && first <= last; first++ {
			numbers[first] = true
		}
	}
	return numbers
}

// errNotCgroup is the reason not to write what would become an ordinary file.
var errNotCgroup = errors.New("not on a cgroup file system")

// onCgroupFS checks by statfs(2) that a path is the kernel's, not a directory
// in a tmpfs that looks like it.
func onCgroupFS(path string) error {
	var st unix.Statfs_t
	err := unix.Statfs(path, &st)
	if err == nil && st.Type != unix.CGROUP_SUPER_MAGIC && st.Type != unix.CGROUP2_SUPER_MAGIC {
		err = errNotCgroup
	}
	if err != nil {
		return &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	return nil
}

// writeFile writes a value in one write(2), as the kernel wants it. It never
// makes a file.
func writeFile(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := onCgroupFS(path); err != nil {
		return err
	}
	if _, err := f.WriteString(value); err != nil {
		return fmt.Errorf("write %q: %w", value, err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// quote makes words that a shell takes as they are.
func quote(words ...string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%"
	quoted := make([]string, len(words))
	for i, w := range words {
		if quoted[i] = w; w == "" || strings.Trim(w, plain) != "" {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}
