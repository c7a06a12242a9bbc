package plan

import (
	"reflect"
	"sync"

	chroot "cutaway/01-chroot"
	namespaces "cutaway/02-namespaces"
	cgroups "cutaway/03-cgroups"
	unionfs "cutaway/04-unionfs"
	network "cutaway/06-network"
	"cutaway/final/rootfs"
	"cutaway/final/security"
	"cutaway/final/shim"
	"cutaway/final/volume"
)

// Steps lists a value of every kind of step there is, in the order in which a
// plan has them. What is not here can be neither sent to the child nor read
// back from the disk.
var Steps = []Step{
	network.Sysctl{}, network.Bridge{}, network.Firewall{},
	unionfs.Mount{}, volume.Directory{}, volume.Fill{}, volume.File{},
	cgroups.Delegate{}, cgroups.Create{}, cgroups.Inherit{}, cgroups.Set{}, cgroups.Devices{},
	network.Namespace{}, network.Up{}, network.Veth{}, network.Address{}, network.Ready{}, network.Route{},
	network.Publish{}, network.Forget{},
	Clone{},
	namespaces.Join{}, cgroups.Join{}, namespaces.Unshare{}, namespaces.Propagation{},
	rootfs.Mount{}, rootfs.Device{}, rootfs.Symlink{},
	namespaces.Hostname{}, namespaces.Domainname{}, namespaces.Sysctl{}, shim.Terminal{},
	chroot.Pivot{},
	security.Mask{}, security.ReadOnly{}, Workdir{},
	security.OOMScore{}, security.Rlimit{}, security.Bounding{}, security.User{},
	security.Capabilities{}, security.NoNewPrivileges{},
	Exec{},
}

// catalogue finds the type of a step by its name.
var catalogue = sync.OnceValue(func() map[string]reflect.Type {
	types := map[string]reflect.Type{}
	for _, s := range Steps {
		types[nameOf(s)] = reflect.TypeOf(s)
	}
	return types
})
