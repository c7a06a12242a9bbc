package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
)

// Errors of Allocate.
var (
	ErrAddressInUse = errors.New("address already in use")
	ErrNotInSubnet  = errors.New("address is not one of the subnet's for containers")
	ErrFull         = errors.New("no free address left in the subnet")
)

// state is the network as its file keeps it.
type state struct {
	Bridge    string
	Subnet    netip.Prefix
	Addresses map[string]netip.Addr // by container ID
}

// Allocate gives the container with this ID the address it asks for, or with a
// zero request the lowest free one; an ID that has one gets the same again. It
// is written down before Allocate returns, so it is given to no other until
// Release, engine restarts or not.
func (n *Network) Allocate(id string, request netip.Addr) (netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if a, ok := n.addresses[id]; ok && (!request.IsValid() || request == a) {
		return a, nil
	}
	a, err := n.choose(request)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("allocate address in %s: %w", n.subnet, err)
	}
	before := maps.Clone(n.addresses)
	n.addresses[id] = a
	if err := n.save(); err != nil {
		n.addresses = before
		return netip.Addr{}, err
	}
	return a, nil
}

// choose returns the requested address or the lowest free one. The first of the
// subnet names the subnet, the last is its broadcast address, and the second is ours.
func (n *Network) choose(request netip.Addr) (netip.Addr, error) {
	used := map[netip.Addr]bool{n.Gateway(): true}
	for _, a := range n.addresses {
		used[a] = true
	}
	if request.IsValid() {
		if !n.usable(request) {
			return request, fmt.Errorf("%s: %w", request, ErrNotInSubnet)
		}
		if used[request] {
			return request, fmt.Errorf("%s: %w", request, ErrAddressInUse)
		}
		return request, nil
	}
	for a := n.Gateway().Next(); n.usable(a); a = a.Next() {
		if !used[a] {
			return a, nil
		}
	}
	return netip.Addr{}, ErrFull
}

// usable: a neighbour on either side is still in the subnet.
func (n *Network) usable(a netip.Addr) bool {
	return n.subnet.Contains(a.Prev()) && n.subnet.Contains(a.Next())
}

// Allocated returns the addresses given out, by container ID.
func (n *Network) Allocated() map[string]netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.addresses)
}

// Release gives back the address and the ports of a container. Nothing to give
// back is no error.
func (n *Network) Release(id string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, h := range n.ports[id] {
		h.socket.Close()
	}
	delete(n.ports, id)
	if _, ok := n.addresses[id]; !ok {
		return nil
	}
	delete(n.addresses, id)
	return n.save()
}

func (n *Network) load() error {
	data, err := os.ReadFile(n.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("read network %q: %w", n.file, err)
	}
	if n.subnet.IsValid() && n.subnet != s.Subnet && len(s.Addresses) > 0 {
		return fmt.Errorf("open network %s: subnet %s asked for, but containers hold addresses of %s", n.bridge, n.subnet, s.Subnet)
	}
	if !n.subnet.IsValid() {
		n.subnet = s.Subnet
	}
	maps.Copy(n.addresses, s.Addresses)
	return nil
}

// save replaces the file as a whole: written beside it, synced, renamed.
func (n *Network) save() error {
	data, err := json.MarshalIndent(state{n.bridge, n.subnet, n.addresses}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(n.file), 0o755); err != nil {
		return err
	}
	f, err := os.Create(n.file + ".new")
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), n.file)
}
