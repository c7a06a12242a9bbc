package engine

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	network "cutaway/06-network"
	daemon "cutaway/07-daemon"

	api "github.com/moby/moby/api/types/network"
)

// wanted is what --publish and --publish-all ask for, sorted, so that the same
// request always does the same.
func wanted(r Record) ([]network.Port, error) {
	bindings := maps.Clone(r.Host.PortBindings)
	if bindings == nil {
		bindings = api.PortMap{}
	}
	if r.Host.PublishAllPorts {
		for p := range r.Config.ExposedPorts {
			if len(bindings[p]) == 0 {
				bindings[p] = []api.PortBinding{{}}
			}
		}
	}
	var ports []network.Port
	for p, list := range bindings {
		if p.Proto() != api.TCP && p.Proto() != api.UDP {
			return nil, badPort.About(daemon.Errorf(daemon.Invalid, "--publish %s: only tcp and udp can be published", p))
		}
		for _, b := range list {
			if b.HostIP.Is6() && !b.HostIP.IsUnspecified() {
				return nil, badPort.About(daemon.Errorf(daemon.Invalid, "--publish [%s]:%s: only IPv4 addresses can be published", b.HostIP, p))
			}
			port, err := choose(b.HostPort)
			if err != nil {
				return nil, err
			}
			ip := b.HostIP
			if !ip.IsValid() || ip.Is6() {
				ip = netip.IPv4Unspecified()
			}
			ports = append(ports, network.Port{Protocol: string(p.Proto()), HostIP: ip, HostPort: port, Target: p.Num()})
		}
	}
	slices.SortFunc(ports, func(a, b network.Port) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.HostPort, b.HostPort))
	})
	return ports, nil
}

// choose reads a port of the host: "" is any; of a range "8000-8010" we take
// the first, since the client asks for one port at a time.
func choose(s string) (uint16, error) {
	first, _, _ := strings.Cut(s, "-")
	if first == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(first, 10, 16)
	if err != nil {
		return 0, badPort.About(daemon.Errorf(daemon.Invalid, "invalid port %q: a number from 0 to 65535 is wanted", s))
	}
	return uint16(n), nil
}

// published is the ports of a running container, as inspect shows them; ports
// that are only exposed have no binding.
func published(r Record) api.PortMap {
	m := api.PortMap{}
	for p := range r.Config.ExposedPorts {
		m[p] = nil
	}
	for _, p := range r.State.Ports {
		key, err := api.ParsePort(strconv.Itoa(int(p.Target)) + "/" + p.Protocol)
		if err != nil {
			continue
		}
		m[key] = append(m[key], api.PortBinding{HostIP: p.HostIP, HostPort: strconv.Itoa(int(p.HostPort))})
	}
	return m
}
