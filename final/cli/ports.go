package cli

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/network"
	"github.com/spf13/pflag"
)

func (f *createFlags) bindNetwork(fs *pflag.FlagSet) {
	fs.StringVarP(&f.config.Hostname, "hostname", "h", "", "host name in the container")
	fs.StringVar(&f.config.Domainname, "domainname", "", "NIS domain name in the container")
	fs.StringVar((*string)(&f.host.NetworkMode), "network", "default", "network: bridge, none, host, container:NAME or a name")
	fs.StringVar((*string)(&f.host.NetworkMode), "net", "default", "the same as --network")
	fs.Lookup("net").Hidden = true
	fs.FuncP("publish", "p", "publish a port: `[[IP:]HOSTPORT:]PORT[/tcp|udp]`", f.publish)
	fs.BoolVarP(&f.host.PublishAllPorts, "publish-all", "P", false, "publish all exposed ports to ports that are free")
	fs.Func("expose", "expose a `port` without publishing it", func(s string) error {
		port, err := network.ParsePort(s)
		if err == nil {
			f.expose(port)
		}
		return err
	})
	fs.Func("add-host", "`NAME:IP` for /etc/hosts", func(s string) error {
		name, ip, ok := cutAny(s, "=", ":")
		if !ok {
			return fmt.Errorf("%q is not NAME:IP", s)
		}
		f.host.ExtraHosts = append(f.host.ExtraHosts, name+":"+ip)
		return nil
	})
	fs.Func("dns", "`address` of a name server", func(s string) error {
		address, err := netip.ParseAddr(s)
		f.host.DNS = append(f.host.DNS, address)
		return err
	})
}

// cutAny cuts at the first of the separators that occurs.
func cutAny(s string, separators ...string) (before, after string, found bool) {
	for _, sep := range separators {
		if before, after, found = strings.Cut(s, sep); found {
			return before, after, true
		}
	}
	return s, "", false
}

func (f *createFlags) expose(port network.Port) {
	put(&f.config.ExposedPorts, port, struct{}{})
}

// publish reads one -p:
//
//	80                    a free port of the host → 80
//	8080:80/udp
//	127.0.0.1:8080:80     [::1]:8080:80
//	127.0.0.1::80         a free port of that address
//	8000-8009:80-89       as many ports on both sides; or any number of them for one: 8000-8009:80
func (f *createFlags) publish(s string) error {
	address, hostPart, port := splitPublish(s)
	target, err := network.ParsePortRange(port)
	if err != nil {
		return err
	}
	var ip netip.Addr
	if address != "" {
		if ip, err = netip.ParseAddr(address); err != nil {
			return fmt.Errorf("%q is not an IP address: %w", address, err)
		}
	}
	hosts, err := hostPorts(hostPart, int(target.End())-int(target.Start())+1)
	if err != nil {
		return fmt.Errorf("publish %s: %w", s, err)
	}
	for i := 0; i <= int(target.End())-int(target.Start()); i++ {
		port, _ := network.PortFrom(target.Start()+uint16(i), target.Proto())
		f.expose(port)
		put(&f.host.PortBindings, port, append(f.host.PortBindings[port], network.PortBinding{HostIP: ip, HostPort: hosts[i]}))
	}
	return nil
}

// splitPublish cuts from the end, because an IPv6 address has colons itself.
func splitPublish(s string) (address, hostPort, port string) {
	rest, port := cutLast(s)
	address, hostPort = cutLast(rest)
	return strings.Trim(address, "[]"), hostPort, port
}

func cutLast(s string) (before, after string) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", s
	}
	return s[:i], s[i+1:]
}

// hostPorts gives each of n container ports its host port; "" lets the daemon choose.
func hostPorts(s string, n int) ([]string, error) {
	ports := make([]string, n)
	if s == "" {
		return ports, nil
	}
	r, err := network.ParsePortRange(s)
	if err != nil {
		return nil, err
	}
	count := int(r.End()) - int(r.Start()) + 1
	if count != n && n == 1 { // the daemon takes the first that is free
		return []string{s}, nil
	}
	if count != n {
		return nil, fmt.Errorf("%d ports of the host for %d of the container", count, n)
	}
	for i := range ports {
		ports[i] = strconv.Itoa(int(r.Start()) + i)
	}
	return ports, nil
}
