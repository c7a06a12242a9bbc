package cgroups

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Freeze stops every process of the group where it is, and returns when all
// have stopped; they notice nothing. docker pause.
func (g Group) Freeze() error { return g.freeze(true) }

// Thaw lets a frozen group go on. docker unpause.
func (g Group) Thaw() error { return g.freeze(false) }

// freeze writes and then waits: stopping takes a moment, as each process has to
// come out of its system call.
func (g Group) freeze(on bool) error {
	if err := g.writeFreezer(on); err != nil {
		return fmt.Errorf("freeze cgroup: %w", err)
	}
	return retry(func() (bool, error) {
		frozen, err := g.Frozen()
		if err == nil && frozen != on {
			err = g.writeFreezer(on) // v1 can hang in FREEZING until told again
		}
		return frozen == on, err
	}, "freeze %q", g.Paths)
}

// freezer is v1's freezer.state if there is one (a hybrid system has both), else v2's.
func (g Group) freezer() (string, error) { return g.file("freezer.state", "cgroup.freeze") }

func (g Group) writeFreezer(on bool) error {
	file, err := g.freezer()
	if err != nil {
		return err
	}
	words := map[bool]string{true: "FROZEN", false: "THAWED"}
	if filepath.Base(file) == "cgroup.freeze" {
		words = map[bool]string{true: "1", false: "0"}
	}
	return writeFile(file, words[on])
}

// Frozen says whether every process of the group has stopped.
func (g Group) Frozen() (bool, error) {
	file, err := g.freezer()
	if err != nil {
		return false, err
	}
	if filepath.Base(file) == "freezer.state" {
		state, err := os.ReadFile(file)
		return strings.TrimSpace(string(state)) == "FROZEN", err
	}
	events, err := readKeys(filepath.Join(filepath.Dir(file), "cgroup.events"))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return events["frozen"] == 1, err
}
