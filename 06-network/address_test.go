package network

import (
	"errors"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// openSubnet opens a network without touching the kernel.
func openSubnet(t *testing.T, dir, subnet string) *Network {
	t.Helper()
	n, err := Open(OpenOptions{Dir: dir, Subnet: netip.MustParsePrefix(subnet)})
	require.NoError(t, err)
	return n
}

func TestLowestFreeAddressIsGiven(t *testing.T) {
	n := openSubnet(t, t.TempDir(), "10.0.0.0/29")
	var got []string
	for _, id := range []string{"a", "b", "c", "b"} {
		a, err := n.Allocate(id, netip.Addr{})
		require.NoError(t, err)
		got = append(got, a.String())
	}
	require.Equal(t, []string{"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.3"}, got, "who has one gets it again")
	require.NoError(t, n.Release("a"))
	require.NoError(t, n.Release("a"), "releasing what is not held is no error")
	a, err := n.Allocate("d", netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, "10.0.0.2", a.String())
}

func TestRequestedAddressIsGivenOrRefused(t *testing.T) {
	n := openSubnet(t, t.TempDir(), "10.0.0.0/29")
	_, err := n.Allocate("a", netip.MustParseAddr("10.0.0.5"))
	require.NoError(t, err)
	for request, want := range map[string]error{
		"10.0.0.0":  ErrNotInSubnet, // the subnet's name
		"10.0.0.1":  ErrAddressInUse,
		"10.0.0.5":  ErrAddressInUse,
		"10.0.0.7":  ErrNotInSubnet, // broadcast
		"10.0.0.8":  ErrNotInSubnet,
		"fd00::1":   ErrNotInSubnet,
		"192.0.2.1": ErrNotInSubnet,
	} {
		_, err := n.Allocate("b", netip.MustParseAddr(request))
		require.ErrorIs(t, err, want, request)
	}
	_, err = n.Allocate("b", netip.MustParseAddr("10.0.0.6"))
	require.NoError(t, err)
}

func TestFullSubnetIsAnError(t *testing.T) {
	n := openSubnet(t, t.TempDir(), "10.0.0.0/30")
	_, err := n.Allocate("a", netip.Addr{})
	require.NoError(t, err)
	_, err = n.Allocate("b", netip.Addr{})
	require.ErrorIs(t, err, ErrFull)
}

func TestAddressesSurviveTheEngine(t *testing.T) {
	dir := t.TempDir()
	n := openSubnet(t, dir, "10.0.0.0/24")
	a, err := n.Allocate("a", netip.MustParseAddr("10.0.0.9"))
	require.NoError(t, err)

	again, err := Open(OpenOptions{Dir: dir})
	require.NoError(t, err)
	require.Equal(t, "10.0.0.0/24", again.Subnet().String())
	require.Equal(t, map[string]netip.Addr{"a": a}, again.Allocated())
	_, err = again.Allocate("b", a)
	require.ErrorIs(t, err, ErrAddressInUse)

	_, err = Open(OpenOptions{Dir: dir, Subnet: netip.MustParsePrefix("10.1.0.0/24")})
	require.ErrorContains(t, err, "containers hold addresses")
	require.NoError(t, again.Release("a"))
	_, err = Open(OpenOptions{Dir: dir, Subnet: netip.MustParsePrefix("10.1.0.0/24")})
	require.NoError(t, err, "an empty network may move")
}

func TestAddressThatCannotBeWrittenDownIsNotGiven(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	n := openSubnet(t, dir, "10.0.0.0/24")
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.WriteFile(dir, nil, 0o600))
	_, err := n.Allocate("a", netip.Addr{})
	require.Error(t, err)
	require.Empty(t, n.Allocated())
}

func TestUnreadableStateIsAnError(t *testing.T) {
	dir := t.TempDir()
	n := openSubnet(t, dir, "10.0.0.0/24")
	require.NoError(t, os.WriteFile(n.file, []byte("{"), 0o600))
	_, err := Open(OpenOptions{Dir: dir})
	require.ErrorContains(t, err, n.file)
}

func TestAddressIsNeverGivenTwice(t *testing.T) {
	n := openSubnet(t, t.TempDir(), "10.0.0.0/24")
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			id := strconv.Itoa(i)
			_, err := n.Allocate(id, netip.Addr{})
			if err == nil && i%3 == 0 {
				err = errors.Join(n.Release(id))
			}
			if err == nil {
				_, err = n.Allocate(id, netip.Addr{})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	requireDistinct(t, n)
	require.Len(t, n.Allocated(), 100)
}

func requireDistinct(t *testing.T, n *Network) {
	t.Helper()
	owner := map[netip.Addr]string{n.Gateway(): "gateway"}
	for id, a := range n.Allocated() {
		require.Empty(t, owner[a], "%s has the address of %s", id, owner[a])
		owner[a] = id
		require.True(t, n.Subnet().Contains(a))
	}
}

// TestAllocatorAgreesWithAnOracle does random things to a small subnet, with
// restarts, and compares with a map.
func TestAllocatorAgreesWithAnOracle(t *testing.T) {
	dir := t.TempDir()
	n := openSubnet(t, dir, "10.0.0.0/28")
	oracle := map[string]netip.Addr{}
	for range 500 {
		id := strconv.Itoa(rand.IntN(20))
		switch rand.IntN(8) {
		case 0:
			n = openSubnet(t, dir, "10.0.0.0/28")
		case 1, 2, 3:
			require.NoError(t, n.Release(id))
			delete(oracle, id)
		default:
			want := lowestFree(oracle, id)
			got, err := n.Allocate(id, netip.Addr{})
			if !want.IsValid() {
				require.ErrorIs(t, err, ErrFull)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, want, got)
			oracle[id] = got
		}
		require.Equal(t, oracle, n.Allocated())
	}
}

func lowestFree(oracle map[string]netip.Addr, id string) netip.Addr {
	if a, ok := oracle[id]; ok {
		return a
	}
	used := slices.Collect(maps.Values(oracle))
	for last := byte(2); last <= 14; last++ {
		if a := netip.AddrFrom4([4]byte{10, 0, 0, last}); !slices.Contains(used, a) {
			return a
		}
	}
	return netip.Addr{}
}
