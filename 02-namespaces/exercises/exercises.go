// Package exercises holds the exercises of chapter 2. How they are made and graded is written in chapters/exercise.
package exercises

import "cutaway/chapters/exercise"

// List is what a learner is asked to write.
var List = exercise.List{Dir: "02-namespaces", Exercises: []exercise.Exercise{
	{
		Name: "hostname", Title: "Set the hostname", Points: 1,
		Empty: []string{"Hostname.Do"},
		Task: `Give the UTS namespace in which the calling thread is the name h.Name: no other namespace, no other name. What the kernel
refuses, such as 65 bytes, is an error with its errno.`,
	},
	{
		Name: "born", Title: "Be born elsewhere", Points: 3,
		Empty: []string{"Clone.Attr", "flags"},
		Task: `Say in the words of os/exec in which new namespaces a child is to be born. In /proc/PID/ns exactly those that c.New names are
others than ours; with User among them, uid_map and gid_map say what c says, and the child is root inside. clone(2) has no bit for Time; there is another field.`,
	},
	{
		Name: "propagation", Title: "Keep your mounts to yourself", Points: 2,
		Empty: []string{"Propagation.Do"},
		Task: `Change how a mount tells others of what is mounted on it: p.Mode is one of modes, with an r before it for the whole tree below
as well, and without it for that mount alone. It shows in the tags of /proc/PID/mountinfo, and, with rprivate, in what is not mounted on the host.
A mode that nobody knows is an error.`,
	},
	{
		Name: "maps", Title: "Say who is who", Points: 3,
		Empty: []string{"Maps.Do"},
		Task: `Write uid_map and gid_map of the process m.PID, of several lines if there are several. Whoever is not root, and maps its own number only,
has to give up setgroups first; for any other map of a user there is byHelper. Root keeps setgroups.`,
	},
	{
		Name: "init", Title: "Be PID 1", Points: 4,
		Empty: []string{"Init", "reap", "exitStatus"},
		Task: `Run a command as PID 1 must: its exit status, or 128 and the signal that ended it, is what Init returns; every process of the namespace that
has ended is waited for, also those that it did not start; and every signal is passed on to the command.`,
	},
	{
		Name: "failure", Title: "Bring an error home", Points: 3,
		Empty: []string{"converse", "failure"},
		Task: `A child tells its parent of a step that failed, as JSON over a socket. failure takes an error apart: which call, on what, with which errno.
converse lets the child go on with one byte (proceed), and waits: for the Failure, which is an error, or for the end of the file, which is
what execve leaves.`,
	},
	{
		Name: "join", Title: "Join a container", Points: 3,
		Empty: []string{"Join.Do"},
		Task: `Put the calling thread into the namespace that j.Path names. Afterwards /proc/PID/task/TID/ns has the same number as j.Path (for PID, it
is pid_for_children), and no descriptor of it is left open. A file of another kind than j.Kind is an error. The mount namespace wants something first.`,
	},
	{
		Name: "thread", Title: "Do not lose your thread", Points: 4,
		Empty: []string{"OnThread"},
		After: []string{"join"},
		Task: `Call f on a thread of its own, and return its error. What f does to the namespaces of its thread must not be met by anybody else: not by the caller,
not by a goroutine that is started later, and not by whoever reads /proc/PID/ns, which is about the process's first thread.`,
	},
}}
