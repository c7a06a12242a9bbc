package cgroups

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// KillAndGo sends the signal, and does not wait for the end.
//
// Caught by: processes left
func (g Group) KillAndGo() error {
	pids, err := g.Procs()
	for _, pid := range pids {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	return err
}

// KillTheTop does not go down.
//
// Caught by: processes left
func (g Group) KillTheTop() error {
	return retry(func() (bool, error) {
		left := 0
		for _, p := range g.Paths {
			text, _ := os.ReadFile(filepath.Join(p, "cgroup.procs"))
			for word := range strings.FieldsSeq(string(text)) {
				pid, _ := strconv.Atoi(word)
				_ = unix.Kill(pid, unix.SIGKILL)
				left++
			}
		}
		return left == 0, nil
	}, "kill %q", g.Paths...)
}

// KillPolitely asks them to end.
//
// Caught by: processes left
func (g Group) KillPolitely() error {
	pids, err := g.Procs()
	for _, pid := range pids {
		_ = unix.Kill(pid, unix.SIGTERM)
	}
	return err
}
