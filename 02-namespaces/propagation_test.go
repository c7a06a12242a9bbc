package namespaces_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
)

// A bind of a shared mount is its peer, as the copy in a new mount namespace
// is: what is mounted below one appears below the other, or not.
func TestPropagationDecidesWhoSeesANewMount(t *testing.T) {
	for mode, want := range map[string]struct{ up, down bool }{
		"shared": {true, true}, "rshared": {true, true},
		"slave": {false, true}, "rslave": {false, true},
		"private": {false, false}, "rprivate": {false, false}, "unbindable": {false, false},
	} {
		host, box := t.TempDir(), t.TempDir()
		for _, dir := range []string{"/from-host", "/from-box"} {
			require.NoError(t, os.Mkdir(host+dir, 0o755))
		}
		var up, down error
		err := inMounts(func() error {
			if err := do(
				mount{host, host, "", unix.MS_BIND},
				namespaces.Propagation{Target: host, Mode: "shared"},
				mount{host, box, "", unix.MS_BIND},
				namespaces.Propagation{Target: box, Mode: mode},
				mount{"x", box + "/from-box", "tmpfs", 0},
				mount{"x", host + "/from-host", "tmpfs", 0},
			); err != nil {
				return err
			}
			_, up = mountLine(host + "/from-box")
			_, down = mountLine(box + "/from-host")
			return nil
		})
		require.NoError(t, err, mode)
		require.Equal(t, want.up, up == nil, "%s: seen on the host", mode)
		require.Equal(t, want.down, down == nil, "%s: seen in the box", mode)
	}
}

func TestPropagationErrors(t *testing.T) {
	dir := t.TempDir()
	require.ErrorIs(t, inMounts(namespaces.Propagation{Target: dir, Mode: "private"}.Do), unix.EINVAL, "not a mount point")
	require.ErrorContains(t, namespaces.Propagation{Target: "/", Mode: "public"}.Do(), `no such mode "public"`)
	require.Equal(t, "mount --make-rprivate /", namespaces.Propagation{Target: "/", Mode: "rprivate"}.String())
}
