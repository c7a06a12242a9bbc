package engine

import (
	"testing"

	"github.com/moby/moby/api/types/mount"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	daemon "cutaway/07-daemon"
)

func TestAReadOnlyVolumeIsSoWithWhatIsMountedBelow(t *testing.T) {
	w := open(t)
	dir := t.TempDir()
	require.NoError(t, unix.Mkdir(dir+"/below", 0o755))
	require.NoError(t, unix.Mount("tmpfs", dir+"/below", "tmpfs", 0, ""))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir+"/below", 0)) })
	req := request("sh", "-c", "for d in /rw /rw/below /ro /ro/below; do echo >$d/file 2>/dev/null && echo $d; done; true")
	req.HostConfig.Binds = []string{dir + ":/rw", dir + ":/ro:ro"}
	require.Equal(t, "/rw\n/rw/below\n", w.run(req, "").stdout)

	req.HostConfig.Binds = nil
	req.HostConfig.Mounts = []mount.Mount{{Type: mount.TypeBind, Source: dir, Target: "/ro", ReadOnly: true,
		BindOptions: &mount.BindOptions{ReadOnlyNonRecursive: true}}}
	_, err := w.Create(w.ctx(), req)
	require.Equal(t, daemon.Invalid, daemon.KindOf(err))
	require.ErrorContains(t, err, "bind-recursive")
}
