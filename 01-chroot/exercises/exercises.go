// Package exercises holds the exercises of chapter 1. How they are made and graded is written in chapters/exercise.
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
	{
		Name: "pivot", Title: "Leave no way back", Points: 4,
		Empty: []string{"Pivot.Do", "detach"},
		Task: `Make the mount at p.Root the top of the mount tree, and take the old tree away. Afterwards the mount namespace holds this one mount,
no descriptor leads to the old root, the new one holds nothing that was not there before, and on the host not one mount has gone: somewhere
in the old tree there are shared ones. Pivot.explain turns pivot_root's EINVAL into a sentence.`,
	},
	{
		Name: "einval", Title: "Say why it is invalid", Points: 2,
		Empty: []string{"Pivot.explain"},
		After: []string{"pivot"},
		Task: `pivot_root(2) says EINVAL for half a dozen reasons. Give err the call and the path, and if it is EINVAL or EBUSY, find the
reason: the sentence has "not a mount point" in it, or "shared". statx(2) knows what a mount point is. The errno can still be found with errors.Is.`,
	},
	{
		Name: "breakout", Title: "Break out", Points: 3,
		Empty: []string{"DotDot", "climb"},
		After: []string{"jail", "pivot"},
		Task: `Get out of a Chroot: jail yourself once more, one directory deeper (chrootBelow), without the mistake that the first exercise
avoided; then climb, however far it is, and make the top your root: /proc/PID/root is the host's. After a Pivot the same must end in ErrHeld, for
climb is given the jail and looks where it has come to.`,
	},
	{
		Name: "openin", Title: "Open a file in a hostile tree", Points: 3,
		Empty: []string{"OpenIn"},
		Task: `Open name as a process would whose root is root, without becoming one: no "..", no symbolic link and no race with somebody who
renames directories leads out, and an absolute link inside is followed inside. The descriptor is close-on-exec, and errors are *os.PathError.
openat2(2) does it in one call.`,
	},
}}
