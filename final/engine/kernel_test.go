package engine

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	namespaces "cutaway/02-namespaces"
	daemon "cutaway/07-daemon"
	"cutaway/chapters/lab"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/stretchr/testify/require"
)

func demultiplexed(t *testing.T, stream daemon.Stream) string {
	t.Helper()
	defer stream.Conn.Close()
	var out bytes.Buffer
	_, err := stdcopy.StdCopy(&out, &out, stream.Conn)
	require.NoError(t, err)
	return out.String()
}

// nsOf is what /proc says of a process's namespaces, by kind.
func nsOf(t *testing.T, pid int) map[namespaces.Kind]uint64 {
	t.Helper()
	ids := map[namespaces.Kind]uint64{}
	for _, k := range []namespaces.Kind{namespaces.Mnt, namespaces.UTS, namespaces.IPC, namespaces.PID, namespaces.Net, namespaces.Cgroup, namespaces.User, namespaces.Time} {
		id, err := namespaces.ID(pid, k)
		require.NoError(t, err)
		ids[k] = id
	}
	return ids
}

// The defect that this looks for: a thread that was not locked, or a step that
// was done on another, leaves one container in a hundred in a namespace of the
// host.
func TestTwoHundredContainersAreEachInTheirOwnNamespaces(t *testing.T) {
	w := open(t)
	host := nsOf(t, os.Getpid())
	owner := map[uint64]string{}
	for batch := range 10 {
		ids := make([]string, 20)
		var wg sync.WaitGroup
		for i := range ids {
			req := request("sleep", "1000")
			req.HostConfig.NetworkMode = []container.NetworkMode{"bridge", "none", "host", "bridge"}[i%4]
			if i%10 == 9 {
				req.HostConfig.CgroupnsMode = "host"
			}
			ids[i] = w.create(req)
			wg.Go(func() {
				if err := w.Start(w.ctx(), ids[i]); err != nil {
					t.Errorf("batch %d, container %d: %v", batch, i, err)
				}
			})
		}
		wg.Wait()
		for _, id := range ids {
			c, err := w.find(id)
			require.NoError(t, err)
			compare(t, c.look(), host, owner)
		}
		for _, id := range ids {
			wg.Go(func() {
				if err := w.Remove(w.ctx(), id, daemon.RemoveOptions{Force: true}); err != nil {
					t.Errorf("batch %d: remove: %v", batch, err)
				}
			})
		}
		wg.Wait()
		clear(owner) // inode numbers are used again
	}
}

// compare holds one container's namespaces to what was asked for, and to those
// of all others.
func compare(t *testing.T, r Record, host map[namespaces.Kind]uint64, owner map[uint64]string) {
	t.Helper()
	for kind, id := range nsOf(t, r.State.PID) {
		shared := kind == namespaces.User || kind == namespaces.Time ||
			kind == namespaces.Net && r.Host.NetworkMode.IsHost() || kind == namespaces.Cgroup && r.Host.CgroupnsMode.IsHost()
		if shared {
			require.Equal(t, host[kind], id, "%s of %.12s", kind, r.ID)
			continue
		}
		require.NotEqual(t, host[kind], id, "%s of %.12s is the host's", kind, r.ID)
		require.Empty(t, owner[id], "%s of %.12s is another container's", kind, r.ID)
		owner[id] = r.ID
	}
}

// traces is everything of the kernel's and the disk's that a start makes.
func traces(t *testing.T, e *Engine) []string {
	t.Helper()
	var list []string
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, e.o.DataRoot) || strings.Contains(line, e.o.ExecRoot) {
			list = append(list, "mount "+strings.Fields(line)[4])
		}
	}
	links, err := lab.Links()
	require.NoError(t, err)
	for _, l := range links {
		if l.Type() == "veth" {
			list = append(list, "link "+l.Attrs().Name)
		}
	}
	for _, base := range e.groups.Create(filepath.Dir(e.groupName("x"))).Paths {
		groups, _ := filepath.Glob(filepath.Join(base, "*", "cgroup.procs"))
		list = append(list, groups...)
	}
	for _, pattern := range []string{e.exec("netns", "*"), e.exec("shims", "*")} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		list = append(list, files...)
	}
	for id, a := range e.net.Allocated() {
		list = append(list, fmt.Sprintf("address %s of %.12s", a, id))
	}
	return list
}

func TestAStartThatFailsLeavesNothing(t *testing.T) {
	w := open(t)
	for name, spoil := range map[string]func(*daemon.CreateRequest){
		"no such program":     func(r *daemon.CreateRequest) { r.Config.Cmd = []string{"nosuch"} },
		"not executable":      func(r *daemon.CreateRequest) { r.Config.Cmd = []string{"/etc/passwd"} },
		"no such user":        func(r *daemon.CreateRequest) { r.Config.User = "nobody-knows" },
		"a file in the way":   func(r *daemon.CreateRequest) { r.HostConfig.Binds = []string{"vol1:/etc/passwd/data"} },
		"a processor too far": func(r *daemon.CreateRequest) { r.HostConfig.CpusetCpus = "1000" },
	} {
		t.Run(name, func(t *testing.T) {
			req := request("true")
			spoil(&req)
			id := w.create(req)
			until, err := w.Wait(w.ctx(), id, container.WaitConditionNextExit)
			require.NoError(t, err)
			err = w.Start(w.ctx(), id)
			require.Error(t, err)
			require.Equal(t, daemon.Invalid, daemon.KindOf(err), "%v", err)
			require.NotZero(t, w.receive(until))
			require.Eventually(t, func() bool { return len(traces(t, w.Engine)) == 0 || onlySocket(traces(t, w.Engine)) }, patience, patience/600)
			require.NoError(t, w.Remove(w.ctx(), id, daemon.RemoveOptions{Volumes: true}))
			w.clean(name)
		})
	}
}

// clean waits until nothing is left: the kernel deletes a cable in the
// background, when its namespace has ended.
func (w *world) clean(when string) {
	w.t.Helper()
	require.Eventually(w.t, func() bool { return len(w.left()) == 0 }, patience, patience/1000, "%s: left are %v", when, w.left())
}

// left is traces without those of the containers that are to run.
func (w *world) left() []string {
	w.t.Helper()
	return slices.DeleteFunc(traces(w.t, w.Engine), func(what string) bool { return slices.Contains(w.others, what) })
}

// onlySocket: the file of a socket stays until the container is removed.
func onlySocket(list []string) bool {
	return len(list) == 1 && strings.Contains(list[0], "/shims/")
}

func TestAfterTheEndNothingIsLeft(t *testing.T) {
	w := open(t)
	req := request("true")
	req.HostConfig.AutoRemove = true
	id := w.create(req)
	until, err := w.Wait(w.ctx(), id, container.WaitConditionRemoved)
	require.NoError(t, err)
	require.NoError(t, w.Start(w.ctx(), id))
	require.Zero(t, w.receive(until))
	w.clean("removed")
	layers, err := w.layers.List()
	require.NoError(t, err)
	require.NotContains(t, layers, id)
	require.NoDirExists(t, w.data("containers", id))
}
