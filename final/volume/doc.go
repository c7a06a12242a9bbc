// Package volume is a container's files that are not in its layers: volumes,
// directories of the host, and the few files that the engine writes for it.
//
//	data root/volumes/NAME/_data     a volume: named, or anonymous (64 digits)
//	exec root/containers/ID/hosts    a file of the engine's, bound over /etc/hosts
//
// A volume outlives its containers. When it is new and empty, it is filled with
// what the image has at the place where it is mounted; a directory of the host
// never is.
//
// # What is not guaranteed
//
// Filling is not atomic: a container that was killed in the middle leaves a
// volume that is partly filled, and then counts as not empty.
package volume

import "embed"

// Source is this package's own source, for explain.
//
//go:embed *.go
var Source embed.FS
