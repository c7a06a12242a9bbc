package cgroups

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// DoParent goes in one level too high, where no limit is.
//
// Caught by: groups
func (j Join) DoParent() error {
	for _, p := range j.Paths {
		if err := writeFile(filepath.Join(filepath.Dir(p), "cgroup.procs"), "0"); err != nil {
			return err
		}
	}
	return nil
}

// DoUnverified believes that what was written is so.
//
// Caught by: doubt
func (j Join) DoUnverified() error {
	for _, p := range j.Paths {
		if err := writeFile(j.file(p), "0"); err != nil {
			return err
		}
	}
	return nil
}

// DoWithAnyError knows that something went wrong, and not what.
//
// Caught by: told error
func (j Join) DoWithAnyError() error {
	for _, p := range j.Paths {
		_ = writeFile(j.file(p), "0")
	}
	own, err := os.ReadFile("/proc/thread-self/cgroup")
	if err == nil && strings.Count(string(own), "/"+j.Name+"\n") < len(j.Paths) {
		err = errors.New("it did not work")
	}
	return err
}
