// Package explain says what the steps of a plan are for.
//
// A plan knows what was done and how long it took; the shell equivalent comes
// from the step itself. The reason comes from the doc comment of the step's
// type, and the place from where that type is declared: both are read from the
// source, which is part of the binary. So an explanation cannot say anything
// but what the code says.
//
//	step ── its type's name ──▶ source of that package ──▶ doc comment ──▶ why, man page
//	                                                   └──▶ position    ──▶ file:line
//
// A plan is shown in three forms: [Text] for a person, [Steps] for JSON, and
// [Script], which makes the same container with nothing but a shell.
//
// # What is not guaranteed
//
// The commands do the same to the kernel, not always in the same number of
// system calls. Times are wall times, of steps some of which ran side by side:
// their sum is more than a start took.
//
// A script makes the same namespaces, mounts, limits, network and privileges,
// but some things a shell cannot say, or not well:
//
//   - the standard streams are given to the container's user only if they are a
//     terminal;
//   - the rules for devices on cgroup v2, which are a program (BPF);
//   - variables of the environment that bash has for itself: IFS, PWD, OLDPWD,
//     SHLVL, UID and _, if the container sets them, may arrive changed, and
//     those that change bash (SHELLOPTS, POSIXLY_CORRECT) change it;
//   - a program without "#!" that the kernel refuses is run by bash.
package explain
