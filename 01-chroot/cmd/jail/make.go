package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// makeRoot copies programs to where they are outside, and with them what the
// kernel and the dynamic loader need to start them. Leave a library out, and
// the shell says "not found" of a program that is plainly there: it is the
// interpreter that execve(2) did not find.
func makeRoot(root string, programs []string) error {
	seen := map[string]bool{}
	for _, name := range programs {
		path, err := exec.LookPath(name)
		if err != nil {
			return err
		}
		if path, err = filepath.Abs(path); err != nil {
			return err
		}
		if err := copyWithLibraries(root, path, seen); err != nil {
			return err
		}
	}
	return nil
}

func copyWithLibraries(root, path string, seen map[string]bool) error {
	if seen[path] {
		return nil
	}
	seen[path] = true
	if err := copyFile(filepath.Join(root, path), path); err != nil {
		return err
	}
	needs, err := needed(path)
	if err != nil {
		return err
	}
	for _, lib := range needs {
		if err := copyWithLibraries(root, lib, seen); err != nil {
			return err
		}
	}
	return nil
}

// needed reads from an ELF file which other files it needs: the interpreter
// in the segment PT_INTERP, and the libraries in DT_NEEDED (elf(5)).
func needed(path string) ([]string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	defer f.Close()
	var paths []string
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		name := make([]byte, p.Filesz-1) // without the NUL
		if _, err := p.ReadAt(name, 0); err != nil {
			return nil, err
		}
		paths = append(paths, string(name))
	}
	libs, err := f.ImportedLibraries()
	if err != nil {
		return nil, err
	}
	for _, lib := range libs {
		found, err := findLibrary(lib)
		if err != nil {
			return nil, fmt.Errorf("%s needs %w", path, err)
		}
		paths = append(paths, found)
	}
	return paths, nil
}

// findLibrary looks where ld.so(8) looks by default.
func findLibrary(name string) (string, error) {
	for _, pattern := range []string{"/lib/*-linux-*", "/usr/lib/*-linux-*", "/lib64", "/usr/lib64", "/lib", "/usr/lib"} {
		found, err := filepath.Glob(filepath.Join(pattern, name))
		if err != nil {
			return "", err
		}
		if len(found) > 0 {
			return found[0], nil
		}
	}
	return "", &os.PathError{Op: "find library", Path: name, Err: os.ErrNotExist}
}

func copyFile(to, from string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
