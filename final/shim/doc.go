// Package shim is the small process that stands between the engine and a
// container: one for each container, its parent, alive for as long as it runs.
//
// The engine may be stopped, killed and replaced while containers run. What
// must not go away with it are the things that only a parent has: the ends of
// the pipes or of the terminal, and the exit status that wait4(2) gives once.
// So the shim holds them, and the engine talks to it over a UNIX socket.
//
//	engine ── spawn, attach, resize, signal, wait ──▶ shim.sock
//	                                                    │
//	          ┌──────────────── shim ───────────────────┴──┐
//	          │ exit.json ◀── wait4          log ◀─┐       │
//	          │                    attached ◀──────┴─ pump │
//	          └──────┬──────────────▲──────────────────────┘
//	              stdin        stdout, stderr   (or one terminal)
//	          ┌──────▼──────────────┴───┐
//	          │ the container's process │   and those of exec beside it
//	          └─────────────────────────┘
//
// # Vocabulary
//
//   - Process: the container's first process (its ID is ""), or one that exec
//     added. A client can attach to it before it is spawned.
//   - Spare: a shim that is started before it is needed, with a process that
//     waits for orders, and given its container later.
//   - Pump: the loop that reads what a process writes, and gives each piece to
//     the log and to everyone attached, in this order.
//   - Attached: a connection that has become a stream. What it carries to the
//     client is in Docker's wire format already.
//
// # What is guaranteed
//
// The status of the first process is in exit.json before anybody is told that
// it ended. A reader that is slow slows the process down and loses nothing; a
// reader that is gone is forgotten. The shim ends when no process is left and
// nobody is connected.
//
// # What is not
//
// The log and exit.json are not synced to the disk.
package shim

import "embed"

// Source is this package's own source, for explain.
//
//go:embed *.go
var Source embed.FS
