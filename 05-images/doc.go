// Package images turns a name into layers: it reads image names, keeps images
// in a store, and moves them from and to registries and archives.
package images

import "embed"

// Source is this package's own source, for explain.
//
//go:embed *.go
var Source embed.FS
