// Package exercises holds the exercises of chapter 1; see chapters/exercise for how they are made and graded.
package exercises

import "cutaway/chapters/exercise"

// List is what a learner is asked to write.
var List = exercise.List{Dir: "01-chroot", Exercises: []exercise.Exercise{
	{
		Name: "jail", Title: "Move in, with both feet", Points: 2,
		Empty: []string{"Chroot.Do"},
		Task: `Make c.Root the root directory of the calling process. Afterwards absolute paths start there, and relative ones too:
/proc/PID/root and /proc/PID/cwd both lead to c.Root. An error of the kernel is returned, with the system call and the path in it.`,
	},
}}
