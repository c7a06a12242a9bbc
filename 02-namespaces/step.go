package namespaces

import (
	"fmt"
	"os"
	"strings"
)

// Step is one thing done to the kernel: any step of any chapter.
type Step interface {
	Do() error
	String() string
}

// same is the read-back of a step: what the kernel says against what was set.
func same(what, got, want string) error {
	if got != want {
		return fmt.Errorf("set %s to %q: it is %q", what, want, got)
	}
	return nil
}

func pathError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: path, Err: err}
}

// quote makes s one word of a POSIX shell.
func quote(s string) string {
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// plain is what needs no quotes.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%"
