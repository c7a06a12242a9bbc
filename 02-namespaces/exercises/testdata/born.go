package namespaces

import "syscall"

// AttrWithoutMaps makes a child whom nobody knows.
//
// Caught by: uid_map
func (c Clone) AttrWithoutMaps() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Cloneflags: flags(c.New)}
}

// AttrAsNobody makes a root, and leaves the child to be somebody else.
//
// Caught by: user
func (c Clone) AttrAsNobody() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags: flags(c.New), UidMappings: sysMap(c.UIDMap), GidMappings: sysMap(c.GIDMap),
	}
}

// flagsOfTheLast assigns where it should add.
//
// Caught by: new namespaces
func flagsOfTheLast(ks []Kind) (f uintptr) {
	for _, k := range ks {
		f = k.Flag()
	}
	return f
}

// flagsOfAll gives everything to everybody.
//
// Caught by: new namespaces
func flagsOfAll([]Kind) (f uintptr) {
	for _, k := range Kinds {
		if k != User && k != Time {
			f |= k.Flag()
		}
	}
	return f
}
