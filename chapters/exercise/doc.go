// Package exercise makes exercises out of a chapter's real code, and grades what learners write in its place.
//
// There is one source: the chapter is the solution. Nothing in it says so; a list beside it names the functions
// to be emptied, and from that list come the learner's copy, the section of the book and the points.
//
//	01-chroot/*.go ──────────┬── Copy ──► mine/01-chroot/*.go     bodies gone, a task in their place
//	01-chroot/exercises/     │                   │ the learner writes
//	  exercises.go    List ──┘                   ▼
//	  exercises_test.go ── go test -c -overlay (01-chroot = mine/01-chroot) ──► graders, one process for each exercise
//	  testdata/*.go        wrong solutions                                        │
//	                                                   Report: points, expected, found, hint ◄┘
//
// The chapter itself is never touched: the overlay exists for one build.
//
// # Vocabulary
//
// An [Exercise] is some functions of a chapter and a task. The copy is a directory with the chapter's files in which they
// have no body. A grader is a function that lets the code work and then looks at the kernel; it makes one [Check] after
// the other, and the first that fails ends it and brings its hint. A role is what a grader does in a process of its own, because
// it moves the root, joins namespaces or ends. A wrong solution is a function in testdata that a learner might well
// write, and the comment above it says which check has to catch it.
//
// # The authors' gate
//
// [Gate] holds a chapter's exercises to their word: emptied, each fails; solved, it passes (that is [Run] without a copy);
// and every wrong solution fails by the check that is meant to catch it. All variants are compiled into one binary, in which
// the function dispatches on an environment variable; so a wrong solution costs a process and not a link.
//
// # Not guaranteed
//
// A learner who wants points more than knowledge can have them: graders run the learner's code with the grader's
// rights. Names and numbers are random, so that answers cannot be written down; that is all. A copy is of one version of the
// chapter: when the chapter has changed since, the two may not compile together.
package exercise
