// Package doctor looks at a machine and tells whether containers can run on it:
// what it found, what that means, and what to do.
//
// A check reads the kernel's own files where it can, and tries where it must: an
// overlay file system that is listed may still be refused, and a user namespace
// that exists may be forbidden. What it tries it tries in a namespace or
// directory of its own, and leaves nothing behind.
//
// # Vocabulary
//
//   - Fine: containers run.
//   - Note: they run, but something will surprise: a firewall of somebody else's,
//     a disk that is nearly full, a machine that is itself a container.
//   - Problem: they do not run, or not all of them. There is a remedy.
//
// # What is not guaranteed
//
// That nothing else is wrong. Without root some checks can only look, and say so.
package doctor
