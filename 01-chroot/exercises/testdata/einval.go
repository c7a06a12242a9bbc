package chroot

import "fmt"

// explainGuessing says the same always.
//
// Caught by: no mount point
func (p Pivot) explainGuessing(err error) error {
	return fmt.Errorf("pivot_root %s: %w: something is shared", p.Root, err)
}

// explainWithoutErrno makes a text of the error.
//
// Caught by: told error
func (p Pivot) explainWithoutErrno(err error) error {
	return fmt.Errorf("pivot_root %s: %v: it is not a mount point", p.Root, err)
}
