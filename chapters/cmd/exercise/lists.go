package main

import (
	"fmt"
	"strings"

	chroot "cutaway/01-chroot/exercises"
	namespaces "cutaway/02-namespaces/exercises"
	cgroups "cutaway/03-cgroups/exercises"
	unionfs "cutaway/04-unionfs/exercises"
	images "cutaway/05-images/exercises"
	"cutaway/chapters/exercise"
)

// lists are the exercises of all chapters that have some.
var lists = []exercise.List{
	chroot.List,
	namespaces.List,
	cgroups.List,
	unionfs.List,
	images.List,
}

// list finds a chapter's by what somebody may call it: 1, 01, 01-chroot, chroot.
func list(name string) (exercise.List, error) {
	var known []string
	for _, l := range lists {
		number, word, _ := strings.Cut(l.Dir, "-")
		switch name {
		case l.Dir, number, word, strings.TrimPrefix(number, "0"):
			return l, nil
		}
		known = append(known, number)
	}
	return exercise.List{}, fmt.Errorf("chapter %q has no exercises; these have: %s", name, strings.Join(known, ", "))
}
