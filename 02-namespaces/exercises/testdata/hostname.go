package namespaces

import "golang.org/x/sys/unix"

// DoDomain sets the other name.
//
// Caught by: hostname
func (h Hostname) DoDomain() error { return unix.Setdomainname([]byte(h.Name)) }

// DoInANewOne does not touch the container.
//
// Caught by: namespace
func (h Hostname) DoInANewOne() error {
	if err := unix.Unshare(unix.CLONE_NEWUTS); err != nil {
		return err
	}
	return unix.Sethostname([]byte(h.Name))
}

// DoShortened knows better than the kernel.
//
// Caught by: told error
func (h Hostname) DoShortened() error {
	return unix.Sethostname([]byte(h.Name)[:min(len(h.Name), 64)])
}
