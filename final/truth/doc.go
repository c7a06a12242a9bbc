// Package truth is only tests: it compares what plans list with what the kernel
// was asked, as strace(1) saw it, both ways.
//
//	strace ──▶ trace ──▶ calls ──▶ facts ──┐
//	                                       ├──▶ compare ──▶ lies, or none
//	API ─────▶ plan ────▶ items ─▶ wants ──┘
//
// A fact is one thing done to the kernel: a mount, a namespace, a write to a
// cgroup's file, a link, a capability that was dropped. A want is a fact that a
// step stands for. A want without its fact was listed and did not happen; a fact
// that no want explains happened and was not listed.
//
// # What is not compared
//
// What strace does not show: the inside of nftables' rules (their number is
// compared, and elements of maps in full), the instructions of the BPF program
// for devices, and what the program itself does after its execve. What the
// engine does for itself: its own files, sockets and the shim. Calls that only
// look are compared one way: what a plan lists must have been looked at.
package truth
