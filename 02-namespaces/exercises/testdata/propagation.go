package namespaces

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// DoOneMount forgets MS_REC.
//
// Caught by: mode of the mounts below
func (p Propagation) DoOneMount() error {
	flags, ok := modes[strings.TrimPrefix(p.Mode, "r")]
	if !ok {
		return fmt.Errorf("no mode %q", p.Mode)
	}
	return unix.Mount("", p.Target, "", flags, "")
}

// DoAlwaysPrivate reads no further than the first example.
//
// Caught by: mode of the mounts below
func (p Propagation) DoAlwaysPrivate() error {
	return unix.Mount("", p.Target, "", unix.MS_PRIVATE|unix.MS_REC, "")
}

// DoSlave stops mounts from going out, and not from coming in.
//
// Caught by: mode of the mount
func (p Propagation) DoSlave() error {
	return unix.Mount("", p.Target, "", unix.MS_SLAVE|unix.MS_REC, "")
}

// DoAnything takes the flag 0 for a word that nobody knows.
//
// Caught by: unknown mode
func (p Propagation) DoAnything() error {
	mode, recursive := strings.CutPrefix(p.Mode, "r")
	flags := modes[mode]
	if recursive && flags != 0 {
		flags |= unix.MS_REC
	}
	if flags == 0 {
		flags = unix.MS_PRIVATE
	}
	return unix.Mount("", p.Target, "", flags, "")
}
