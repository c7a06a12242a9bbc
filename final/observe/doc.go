// Package observe takes pictures of what the kernel says about a container, and
// compares them: what was there before a step, and what is there after it.
//
// # Model
//
// A picture is a list of views; a view is a list of lines, made of one thing
// that the kernel shows to everybody who may look. Nothing is asked of the
// engine, which could be wrong about its own work.
//
//	the host, as the engine sees it      the process that becomes the container
//	/proc/ENGINE/mountinfo               /proc/CHILD/mountinfo
//	                                     /proc/CHILD/ns, status, cgroup, root, cwd
//	links, addresses, routes (netlink)   the same in the container's namespace
//	elements of nftables' sets           the files in its /dev
//	files of the container's cgroups     its hostname (uname, in its namespace)
//	files of the container's directory
//
// # Vocabulary
//
// The subject says where to look: the engine's process, the child's, and the
// paths that a plan names. A change is what one view lost and gained.
//
// # Which thread
//
// Namespaces, root and capabilities belong to a thread, and /proc/PID is about
// the first one. The child performs its steps on one thread, which in Go need
// not be the first: of all its threads we look at the one whose namespaces
// differ most from its parent's.
//
// # What is not guaranteed
//
// A picture is not taken in one instant: the views follow each other. What
// cannot be read is left out, as a process may end while it is being looked at.
// The views of the host show what others do there at the same time, too.
// The reader has to be root, in the engine's PID namespace. Views of what no
// step changes (processes, sockets, open files) are not taken.
package observe
