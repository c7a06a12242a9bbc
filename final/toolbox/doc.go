// Package toolbox is the user land of the image cutaway/toolbox: a shell and the few commands that a lesson
// needs, all of them in one binary: cutaway-toolbox, and the engine's own, too.
//
// # Model
//
// A multi-call binary, as busybox is one: the name under which the binary is called decides what it does.
// The image holds one copy of it and a symbolic link for every name:
//
//	/bin/toolbox            cutaway-toolbox, or what the engine itself runs from if that is not beside it
//	/bin/sh    → toolbox    argv[0] is "sh": the shell
//	/bin/ls    → toolbox    argv[0] is "ls": the applet ls
//
// So the first container needs no registry, no network and no download.
//
// # Vocabulary
//
// An applet is one command: a name, a usage line and a function. Its exit status is 0, or 1 after an error,
// or 2 for a call that it does not understand, unless its own manual says otherwise.
//
// # Not guaranteed
//
// The applets know the options that their usage lines show and refuse all others; they are no replacement for
// coreutils. The shell is mvdan.cc/sh: bash's language, without job control and without file descriptors
// above 2. After Ctrl-C its command line ends, also when the program that ran there did not: as soon as that has.
package toolbox
