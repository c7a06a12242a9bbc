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
// # What is not guaranteed
//
// The commands do the same to the kernel, not always in the same number of
// system calls. Times are wall times, of steps some of which ran side by side:
// their sum is more than a start took.
package explain
