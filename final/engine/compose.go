package engine

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	cgroups "cutaway/03-cgroups"
	network "cutaway/06-network"
	daemon "cutaway/07-daemon"
	"cutaway/final/plan"
	"cutaway/final/runtime"
	"cutaway/final/spec"
	"cutaway/final/volume"

	"github.com/moby/moby/api/types/container"
)

// compose makes the plan for a start: all that is to be done to the kernel, in
// the order in which a person would do it. It reserves addresses and ports, and
// does nothing else.
func (e *Engine) compose(c *Container, spawn func(*runtime.Compiled) plan.Step) (*plan.Plan, error) {
	netns, wire, err := e.wire(c)
	if err != nil {
		return nil, err
	}
	r := c.look() // with its address
	files, err := e.filesOf(r, c.bundle)
	if err != nil {
		return nil, err
	}
	rootfs := filepath.Join(c.bundle, "rootfs")
	s, err := spec.Make(r.Config, r.Host, spec.Options{
		ID: r.ID, Rootfs: rootfs, NetNS: netns, Cgroup: e.groupName(r.ID),
		Cgroupns: !r.Host.CgroupnsMode.IsHost(), Binds: e.binds(r, files),
	})
	if err != nil {
		return nil, daemon.Errorf(daemon.Invalid, "%w", err)
	}
	if err := makeBundle(c.bundle, s); err != nil {
		return nil, err
	}
	compiled, err := runtime.Compile(s, e.groups)
	if err != nil {
		return nil, daemon.Errorf(daemon.Invalid, "%w", err)
	}
	layers, err := e.layers.Mount(r.ID, rootfs)
	if err != nil {
		return nil, err
	}
	if r.Host.AutoRemove || r.Volatile { // its files go with it, after a crash too
		layers = layers.Volatile()
	}
	p := plan.New(r.ID)
	if r.State.Address.IsValid() {
		for _, step := range e.net.Base() {
			p.List(step)
		}
	}
	p.Add(plan.Root, layers)
	p.Add(plan.Root, volumeSteps(r, rootfs)...)
	if files == c.bundle {
		p.Add(plan.Root, e.fileSteps(c)...)
	}
	p.Add(plan.Limits, compiled.Limits...)
	first := min(1, len(wire)) // the namespace: what the process joins
	if len(r.Host.Sysctls) > 0 {
		first = len(wire) // some of them are about the links that are there
	}
	p.Add(plan.Wire, wire[:first]...)
	p.Add(plan.Cable, wire[first:]...)
	p.Add(plan.Process, spawn(compiled))
	p.Add(plan.Inside, compiled.Inside...)
	return p, nil
}

// makeBundle makes an OCI bundle: a place for the root file system, and the
// specification beside it.
func makeBundle(dir string, s any) error {
	data, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "rootfs"), 0o710); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), data, 0o600)
}

// groupName is the container's cgroup. Another engine's are elsewhere.
func (e *Engine) groupName(id string) string {
	if tag := e.tag(); tag != "" {
		return "cutaway-" + tag + "/" + id
	}
	return "cutaway/" + id
}

// group is the handle of the container's cgroup.
func (e *Engine) group(id string) cgroups.Group { return e.groups.Create(e.groupName(id)).Group() }

// netnsOf is where the container's network namespace is to be found.
func (e *Engine) netnsOf(id string) string { return e.exec("netns", id) }

// wire says how the container is connected: the path of its network namespace
// ("" for the host's), and the steps that make it.
func (e *Engine) wire(c *Container) (netns string, steps []plan.Step, err error) {
	r := c.look()
	mode := r.Host.NetworkMode
	endpoint := network.Endpoint{ID: r.ID, NetNS: e.netnsOf(r.ID)}
	switch {
	case mode.IsHost():
		return "", nil, nil
	case mode.IsContainer():
		netns, err = e.sharedNetns(mode.ConnectedContainer())
		return netns, nil, err
	case !mode.IsNone():
		if err := e.reserve(c, &endpoint); err != nil {
			return "", nil, err
		}
	}
	for _, step := range e.net.Steps(endpoint) {
		steps = append(steps, step)
	}
	return endpoint.NetNS, steps, nil
}

// sharedNetns is the network namespace of another container that runs.
func (e *Engine) sharedNetns(ref string) (string, error) {
	other, err := e.find(ref)
	if err != nil {
		return "", err
	}
	r := other.look()
	netns, runs := e.netnsOf(r.ID), r.State.Status == container.StateRunning
	switch mode := r.Host.NetworkMode; {
	case runs && mode.IsHost():
		return "", nil
	case runs && mode.IsContainer():
		return e.sharedNetns(mode.ConnectedContainer())
	}
	if _, err := os.Stat(netns); err != nil || !runs { // it goes before the state says so
		return "", notRunning.About(daemon.Errorf(daemon.Conflict, "cannot join network of a non running container: %s", r.ID))
	}
	return netns, nil
}

// reserve takes an address and the ports of the host.
func (e *Engine) reserve(c *Container, to *network.Endpoint) error {
	r := c.look()
	ports, err := wanted(r)
	if err != nil {
		return err
	}
	if to.Ports, err = e.net.Reserve(r.ID, ports); err != nil {
		return portTopic(err).About(daemon.Errorf(daemon.Internal, "failed to set up container networking: %w", err))
	}
	if to.Address, err = e.net.Allocate(r.ID, to.Address); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.record.State.Address, c.record.State.Ports = to.Address, to.Ports
	return nil
}

// filesOf is the directory that holds the container's hosts, hostname and
// resolv.conf: another container's, if it shares that one's network.
func (e *Engine) filesOf(r Record, own string) (string, error) {
	if !r.Host.NetworkMode.IsContainer() {
		return own, nil
	}
	other, err := e.find(r.Host.NetworkMode.ConnectedContainer())
	if err != nil {
		return "", err
	}
	return e.filesOf(other.look(), other.bundle)
}

// fileSteps writes the three files.
func (e *Engine) fileSteps(c *Container) []plan.Step {
	r := c.look()
	name := r.Config.Hostname
	names := []string{name}
	if r.Config.Domainname != "" {
		names = []string{name + "." + r.Config.Domainname, name}
	}
	var extra []string
	for _, entry := range r.Host.ExtraHosts {
		extra = append(extra, strings.Replace(entry, ":host-gateway", ":"+e.net.Gateway().String(), 1))
	}
	hosts := network.Hosts(r.State.Address, names, extra)
	if r.Host.NetworkMode.IsHost() {
		if theirs, err := os.ReadFile("/etc/hosts"); err == nil {
			hosts = theirs
		}
	}
	resolv := network.HostResolvConf()
	if !r.Host.NetworkMode.IsHost() {
		var servers []string
		for _, a := range r.Host.DNS {
			servers = append(servers, a.String())
		}
		resolv = network.ResolvConf(resolv, network.DNS{Servers: servers, Search: r.Host.DNSSearch, Options: r.Host.DNSOptions})
	}
	file := func(name string, content []byte) plan.Step {
		return volume.File{Path: filepath.Join(c.bundle, name), Content: string(content)}
	}
	return []plan.Step{
		file("hostname", []byte(strings.TrimSuffix(name, "\n")+"\n")),
		file("hosts", hosts),
		file("resolv.conf", resolv),
	}
}
