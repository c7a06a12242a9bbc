package exercise

import (
	"fmt"
	"slices"
	"strings"
)

// Exercise is one task of a chapter.
type Exercise struct {
	Name   string   // one word: "pivot"
	Title  string   // what is to be done, as a heading: "Leave no way back"
	Points int      // for a full solution; there is no half one
	Empty  []string // the functions to be written: "Pivot.Do", "detach"
	After  []string // the exercises whose code this one's grader needs
	Task   string   // what has to hold in the kernel afterwards, in a few sentences; no indentation
}

// List is a chapter's exercises, in the order in which they are best done.
type List struct {
	Dir       string // of the chapter, from the repository's root: "01-chroot"
	Exercises []Exercise
}

// Points is what a full solution of everything is worth.
func (l List) Points() (n int) {
	for _, e := range l.Exercises {
		n += e.Points
	}
	return n
}

// Find returns the exercise of a name.
func (l List) Find(name string) (Exercise, error) {
	for _, e := range l.Exercises {
		if e.Name == name {
			return e, nil
		}
	}
	return Exercise{}, fmt.Errorf("%s has no exercise %q", l.Dir, name)
}

// owner returns the exercise that empties a function, or that a wrong variant of one belongs to: Pivot.DoWithoutSlave
// stands for Pivot.Do. It returns the function's name too, "" if there is none.
func (l List) owner(variant string) (e Exercise, function string) {
	for _, x := range l.Exercises {
		for _, f := range x.Empty {
			if strings.HasPrefix(variant, f) && len(f) > len(function) {
				e, function = x, f
			}
		}
	}
	return e, function
}

// check finds mistakes of the list itself.
func (l List) check() error {
	var before, emptied []string
	for _, e := range l.Exercises {
		if e.Name == "" || e.Title == "" || e.Points <= 0 || len(e.Empty) == 0 || e.Task == "" {
			return fmt.Errorf("%s: exercise %q: name, title, points, functions and task are needed", l.Dir, e.Name)
		}
		for _, a := range e.After {
			if !slices.Contains(before, a) {
				return fmt.Errorf("%s: exercise %s comes after %q, which does not stand before it", l.Dir, e.Name, a)
			}
		}
		for _, f := range e.Empty {
			if slices.Contains(emptied, f) {
				return fmt.Errorf("%s: two exercises empty %s", l.Dir, f)
			}
		}
		if slices.Contains(before, e.Name) {
			return fmt.Errorf("%s: two exercises are called %s", l.Dir, e.Name)
		}
		before, emptied = append(before, e.Name), append(emptied, e.Empty...)
	}
	return nil
}
