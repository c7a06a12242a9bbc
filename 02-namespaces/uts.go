package namespaces

import (
	"os"

	"golang.org/x/sys/unix"
)

// Hostname gives a container a name of its own: programs print it, log it and
// put it into their prompts. It sets the name of the calling thread's UTS
// namespace, and therefore the host's if no namespace was made.
//
// At most 64 bytes; needs CAP_SYS_ADMIN in the user namespace that owns the
// UTS namespace.
//
// Man page: sethostname(2), uts_namespaces(7)
type Hostname struct {
	Name string
}

// Do sets the name and reads it back.
func (h Hostname) Do() error {
	if err := unix.Sethostname([]byte(h.Name)); err != nil {
		return pathError("sethostname", h.Name, err)
	}
	host, _, err := uname()
	if err != nil {
		return err
	}
	return same("hostname", host, h.Name)
}

// String is hostname(1).
func (h Hostname) String() string { return "hostname " + quote(h.Name) }

// Domainname sets the NIS domain of a container, which is the other name in a
// UTS namespace. It has nothing to do with DNS, and Docker's --domainname
// sets it.
//
// Man page: setdomainname(2), uts_namespaces(7)
type Domainname struct {
	Name string
}

// Do sets the name and reads it back.
func (d Domainname) Do() error {
	if err := unix.Setdomainname([]byte(d.Name)); err != nil {
		return pathError("setdomainname", d.Name, err)
	}
	_, domain, err := uname()
	if err != nil {
		return err
	}
	return same("domainname", domain, d.Name)
}

// String is domainname(1).
func (d Domainname) String() string { return "domainname " + quote(d.Name) }

func uname() (host, domain string, err error) {
	var u unix.Utsname
	err = os.NewSyscallError("uname", unix.Uname(&u))
	return unix.ByteSliceToString(u.Nodename[:]), unix.ByteSliceToString(u.Domainname[:]), err
}
