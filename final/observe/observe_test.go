package observe

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	ns "cutaway/02-namespaces"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// changed is what a view of ourselves gains by an action.
func changed(t *testing.T, view string, s Subject, action func()) Change {
	t.Helper()
	before := Look(s)
	action()
	for _, c := range Look(s).Since(before) {
		if c.Title == view {
			return c
		}
	}
	require.Fail(t, "nothing has changed in "+view)
	return Change{}
}

func self() Subject { return Subject{Engine: os.Getpid()} }

func TestAMountIsSeen(t *testing.T) {
	dir := t.TempDir()
	c := changed(t, "mounts on the host", self(), func() {
		require.NoError(t, unix.Mount("x", dir, "tmpfs", unix.MS_NOSUID, ""))
	})
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
	require.Len(t, c.New, 1)
	require.Contains(t, c.New[0], dir+"  tmpfs  rw,nosuid")
	require.Empty(t, c.Gone)
}

func TestALinkItsAddressAndItsStateAreSeen(t *testing.T) {
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "seen"}}
	c := changed(t, "network of the host", self(), func() { require.NoError(t, netlink.LinkAdd(bridge)) })
	t.Cleanup(func() { require.NoError(t, netlink.LinkDel(bridge)) })
	require.Equal(t, []string{"seen  bridge  down"}, c.New)
	addr, err := netlink.ParseAddr("10.9.9.9/24")
	require.NoError(t, err)
	c = changed(t, "network of the host", self(), func() {
		require.NoError(t, netlink.AddrAdd(bridge, addr))
		require.NoError(t, netlink.LinkSetUp(bridge))
	})
	require.Equal(t, []string{"seen  bridge  down"}, c.Gone)
	require.Equal(t, []string{"seen  bridge  up", "seen  address 10.9.9.9/24"}, c.New)
}

func TestTheThreadWithNamespacesOfItsOwnIsFound(t *testing.T) {
	require.Equal(t, fmt.Sprintf("/proc/%d/task/%[1]d", os.Getpid()), Thread(os.Getpid()))
	require.NoError(t, ns.OnThread(func() error {
		if err := (ns.Unshare{New: []ns.Kind{ns.UTS}}).Do(); err != nil {
			return err
		}
		if err := (ns.Hostname{Name: "of-a-thread"}).Do(); err != nil {
			return err
		}
		mine := fmt.Sprintf("/proc/%d/task/%d", os.Getpid(), unix.Gettid())
		require.Equal(t, mine, Thread(os.Getpid()))
		require.Equal(t, []string{"of-a-thread"}, hostname(mine+"/ns/uts"))
		return nil
	}))
}

func TestWhatIsNotThereIsLeftOut(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	p := Look(Subject{Engine: 1 << 30, Netns: nowhere, Groups: []string{nowhere}, Limits: []string{nowhere}, Dir: nowhere, Root: nowhere})
	for _, v := range p {
		require.Empty(t, v.Lines, v.Title)
	}
}

func TestMissing(t *testing.T) {
	for _, c := range []struct{ a, b, want []string }{
		{nil, []string{"x"}, nil},
		{[]string{"x", "y"}, []string{"y"}, []string{"x"}},
		{[]string{"x", "x"}, []string{"x"}, []string{"x"}},
		{[]string{"b", "a"}, nil, []string{"b", "a"}},
	} {
		require.Equal(t, c.want, missing(c.a, c.b))
	}
}

func TestElementsArePrintedAsNftDoes(t *testing.T) {
	for _, c := range []struct {
		types, want string
		data        []byte
	}{
		{"inet_proto . inet_service", "tcp . 8080", []byte{6, 0, 0, 0, 0x1f, 0x90, 0, 0}},
		{"ipv4_addr . inet_service", "172.29.0.2 . 80", []byte{172, 29, 0, 2, 0, 80, 0, 0}},
		{"mark", "00000001", []byte{0, 0, 0, 1}},
		{"ipv4_addr", "0102", []byte{1, 2}},
	} {
		require.Equal(t, c.want, decode(c.types, c.data))
	}
}
