// Package security takes privileges away from a container's process.
//
// Namespaces decide what a process sees and cgroups what it uses; what it may
// ask of the kernel is decided here. A container's root is the host's root, as
// long as there is no user namespace: what makes it less are a smaller set of
// capabilities, paths of /proc and /sys that are hidden or read-only, and, if
// wanted, the promise never to gain anything by execve(2).
//
//	root of the host           ████████████████████████████████████████  41 capabilities
//	root of a container        ██████████████                            14
//	another user in it         (none, but may gain them from a file)     bounding: 14
//	  with no-new-privileges   (none)
//
// The order of the steps matters, because each takes away what the one before
// needed: the bounding set needs CAP_SETPCAP, the change of user needs
// CAP_SETUID, and a change of user loses all capabilities unless they are kept.
//
//	Bounding ─▶ User (keeps capabilities) ─▶ Capabilities ─▶ NoNewPrivileges
//
// # What is not guaranteed
//
// No system call is filtered here. All steps act on the calling thread, which
// must be the one that calls execve.
package security

import "embed"

// Source is this package's own source, for explain.
//
//go:embed *.go
var Source embed.FS
