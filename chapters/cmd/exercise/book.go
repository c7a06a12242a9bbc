package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"cutaway/chapters/exercise"
)

// The lines of a chapter's page between which the tasks stand.
const (
	sectionBegin = "<!-- exercises: written by make book -->\n"
	sectionEnd   = "<!-- end of exercises -->\n"
)

// writeSections puts every list into its chapter's page.
func writeSections(root string) error {
	for _, l := range lists {
		path := filepath.Join(root, "chapters", l.Dir+".md")
		old, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text, err := withSection(string(old), l)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if text == string(old) {
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
		fmt.Println("wrote", path)
	}
	return nil
}

// withSection is a page with the tasks as they are in the list.
func withSection(page string, l exercise.List) (string, error) {
	before, rest, begun := strings.Cut(page, sectionBegin)
	_, after, ended := strings.Cut(rest, sectionEnd)
	if !begun || !ended {
		return "", fmt.Errorf("no place for the exercises: the lines %q and %q", sectionBegin, sectionEnd)
	}
	return before + sectionBegin + "\n" + l.Section() + "\n" + sectionEnd + after, nil
}
