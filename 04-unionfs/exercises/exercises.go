// Package exercises holds the exercises of chapter 4. How they are made and graded is written in chapters/exercise.
package exercises

import "cutaway/chapters/exercise"

// List is what a learner is asked to write.
var List = exercise.List{Dir: "04-unionfs", Exercises: []exercise.Exercise{
	{
		Name: "escape", Title: "Let no entry out", Points: 3,
		Empty: []string{"openBeneath"},
		Task: `Open what is called name in the tree root. An archive may have put symbolic links there, and whoever runs in a container may do so while
we read: the kernel is to follow none, neither at the end of the name nor on the way, wherever it leads. Then errors.Is finds unix.ELOOP (and resolve looks for where an
image's own links lead, among the layers). Flags are those of open(2). Errors are *os.PathError; that there is nothing of that name can be found with errors.Is.`,
	},
	{
		Name: "order", Title: "Put the layers in order", Points: 2,
		Empty: []string{"overlay.mount"},
		After: []string{"escape"},
		Task: `Say how overlay is to show layer l. A writable one (its Link is empty) gets the layers below as lower directories, and its own
diff and work as upper and work directory, all relative to the store's directory. A layer of an image is the uppermost lower directory of
a mount that is read-only. Of a file that several layers have, the one of the nearest layer is seen. A single layer is a bind mount, as vfs makes it.`,
	},
	{
		Name: "whiteout", Title: "Hide what cannot be removed", Points: 3,
		Empty: []string{"unpacker.hide"},
		After: []string{"escape", "order"},
		Task: `An archive says that a name of the layers below is gone. In overlay's words that is a character device with the numbers 0, 0. Make it,
and say so, where the layers below show something of that name; nowhere else, for ls would show it. What this archive itself made stays; all
else that is there goes first, by removeOld, and that is all for a driver that keeps whole trees (u.union is false). A directory that stays is to be opaque.`,
	},
	{
		Name: "opaque", Title: "Begin a directory anew", Points: 2,
		Empty: []string{"unpacker.hideAll"},
		After: []string{"escape", "order", "whiteout"},
		Task: `Nothing of the layers below is to be seen in dir, which is called name and is a directory of this layer from then on. Overlay reads that
off an extended attribute, which opaque sets. It does not look for whiteouts in such a directory: those that are there already, at any depth, have to go, as all
that this archive did not make. The root is never opaque for overlay: there each name that the layers below show is hidden by itself. Whole trees need no marks.`,
	},
	{
		Name: "kinds", Title: "Read the changes off the disk", Points: 4,
		Empty: []string{"unionNodes"},
		After: []string{"escape", "order"},
		Task: `Of the files in a container's own layer, say which were added, modified or deleted, as docker diff does. What the layers below have as
well was modified, a whiteout deleted it, and an opaque directory is followed by a node that deletes opaqueName in it. A whiteout of nothing is no
change.`,
	},
}}
