// Package plan holds the engine's central idea: a container is a list of steps.
//
// # The model
//
// A step is a small value that does one thing to the kernel. It can say what a
// person would type to do the same, and, if it leaves something behind, take it
// back. The numbered chapters define the steps; this package only lists them,
// performs them, remembers them on disk and prints them.
//
//	        host                                         inside
//	┌─────────────────────────┐
//	│ root    overlay, files  ├──┐
//	│ limits  cgroup          ├──┤   ┌──────────────────────────────────────┐
//	│ process clone           ├──┼──▶│ join, mount, pivot, drop … then exec │
//	│ wire    netns           ├──┤   └──────────────────────────────────▲───┘
//	└─────────────────────────┘  │   ┌──────────────────────────┐       │
//	                             └──▶│ cable   veth, addresses  ├───────┘
//	                                 └──────────────────────────┘
//	 four lanes, side by side         one list, in order, by the child; and the cable
//
// # Vocabulary
//
//   - Step: a value with Do and String, and perhaps Undo.
//   - Item: a step in its place in the list, with what became of it.
//   - Lane: items of the host side that are done one after the other. Different
//     lanes do not depend on each other and run at the same time.
//   - Inside: the last lane, done by the container's own first process after
//     the others, ending in execve(2).
//   - Cable: the one lane that follows another, the network namespace, and runs
//     beside Inside; only its last step waits for it.
//   - Journal: the plan on disk. A step is written there before it is begun, so
//     that whoever comes after a killed engine knows what may be left.
//
// # What is not guaranteed
//
// The journal is not synced to the disk: after a crash of the machine the
// kernel holds nothing to be undone. The order between steps of different lanes
// in time is not the order in the list.
package plan

import "embed"

// Source is this package's own source, for explain.
//
//go:embed *.go
var Source embed.FS
