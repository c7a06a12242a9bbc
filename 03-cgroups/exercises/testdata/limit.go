package cgroups

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// DoToParent writes one directory too high.
//
// Caught by: memory limit
func (s Set) DoToParent() error {
	return writeFile(filepath.Join(filepath.Dir(filepath.Dir(s.Path)), filepath.Base(s.Path)), s.Value)
}

// DoBelieving does not read back.
//
// Caught by: doubt
func (s Set) DoBelieving() error {
	err := writeFile(s.Path, s.Value)
	if s.Optional && errors.Is(err, fs.ErrNotExist) && exists(filepath.Dir(s.Path)) {
		return nil
	}
	return err
}

// DoExactly does not know of pages.
//
// Caught by: error
func (s Set) DoExactly() error {
	if err := writeFile(s.Path, s.Value); err != nil {
		return err
	}
	if got, err := s.Read(); err != nil || got != s.Value {
		return fmt.Errorf("set %q: the kernel shows %q: %w", s.Path, got, err)
	}
	return nil
}

// DoAnywhere makes a file where there is none.
//
// Caught by: ordinary file
func (s Set) DoAnywhere() error {
	if err := os.WriteFile(s.Path, []byte(s.Value), 0o644); err != nil {
		return err
	}
	got, err := s.Read()
	if err == nil && !s.accepts(got) {
		err = errors.New(got)
	}
	return err
}

// DoWithoutGroup takes any missing file for an option that the kernel does not have.
//
// Caught by: told error
func (s Set) DoWithoutGroup() error {
	err := writeFile(s.Path, s.Value)
	if errors.Is(err, fs.ErrNotExist) && s.Optional {
		return nil
	}
	if err != nil {
		return err
	}
	got, err := s.Read()
	if err == nil && !s.accepts(got) {
		err = errors.New(got)
	}
	return err
}
