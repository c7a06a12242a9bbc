// Package cgroups limits and counts what a group of processes uses.
package cgroups

import "embed"

// Source is this package's own source, for explain.
//
//go:embed *.go
var Source embed.FS
