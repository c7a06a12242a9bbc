// Package unionfs keeps the layers of images and containers, and shows a stack of them as one tree.
package unionfs

import "embed"

// Source is this package's own source, for explain.
//
//go:embed *.go
var Source embed.FS
