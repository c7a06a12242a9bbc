// Package book keeps the Markdown of this repository true to its code.
//
// No listing in the book is typed. A page names a declaration and leaves an empty fence behind it; the
// tool fills the fence from the code, and a test fails when the two differ:
//
//	<!-- code: 01-chroot/pivot.go Pivot.Do -->
//	```go
//	```
//
// Several names, separated by spaces, make one listing. In the same way a page names a script whose output it shows. The
// script prints all of the fence, the commands included:
//
//	<!-- transcript: chapters/scripts/explain.sh -->
//	```console
//	```
//
// # Vocabulary
//
// A page is a Markdown file. A marker is the HTML comment in front of a fence. To render a page is to compute what it
// should say; the tool writes that, the tests compare. A problem is a sentence about a page that is not right.
//
// # Not guaranteed
//
// What stands between the listings is checked by readers only. Transcripts are compared without what differs from run
// to run (see [Normalize]).
package book
