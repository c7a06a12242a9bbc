package lab

import (
	"errors"

	"github.com/vishvananda/netlink"
)

// Links lists the links of the network namespace, all at one moment: what somebody changed meanwhile (the kernel takes the
// links of a namespace that is gone away in the background) is asked for again (NLM_F_DUMP_INTR, netlink(7)).
func Links() (links []netlink.Link, err error) {
	err = netlink.ErrDumpInterrupted
	for errors.Is(err, netlink.ErrDumpInterrupted) {
		links, err = netlink.LinkList()
	}
	return links, err
}
