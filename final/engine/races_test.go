package engine

import (
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	namespaces "cutaway/02-namespaces"
	daemon "cutaway/07-daemon"

	"github.com/moby/moby/api/types/container"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// allowed tells whether an error is one that a verb may end in while others change the same things: of these kinds.
func allowed(t *testing.T, err error, kinds ...daemon.Kind) {
	t.Helper()
	if err != nil {
		require.Contains(t, kinds, daemon.KindOf(err), "%v", err)
	}
}

func TestANameIsNoContainerBeforeThereIsOne(t *testing.T) {
	w := open(t)
	_, err := w.claim("early", newID())
	require.NoError(t, err)
	_, err = w.Inspect(w.ctx(), "early", daemon.InspectOptions{})
	require.Equal(t, daemon.NotFound, daemon.KindOf(err))
	_, err = w.Create(w.ctx(), daemon.CreateRequest{Name: "early", CreateRequest: request("true").CreateRequest})
	require.Equal(t, daemon.Conflict, daemon.KindOf(err))
}

// A container that is being removed can be found until all of it is gone.
func TestWhatIsBeingRemovedIsNotThere(t *testing.T) {
	w := open(t)
	id := w.run(request("echo", "hi"), "").id
	c, err := w.find(id)
	require.NoError(t, err)
	require.NoError(t, w.discard(c, nil))
	_, err = w.Changes(w.ctx(), id)
	require.Equal(t, daemon.NotFound, daemon.KindOf(err), "%v", err)
	err = w.Export(w.ctx(), id, io.Discard)
	require.Equal(t, daemon.NotFound, daemon.KindOf(err), "%v", err)
	logs, err := w.Logs(w.ctx(), id, daemon.LogOptions{Stdout: true, Tail: -1})
	require.NoError(t, err)
	for _, err := range logs.Lines {
		require.NoError(t, err)
	}
	require.NoError(t, w.Remove(w.ctx(), id, daemon.RemoveOptions{}))
	w.mu.Lock()
	w.containers[id] = c // as whoever found it just before sees it
	w.mu.Unlock()
	defer delete(w.containers, id)
	_, err = w.Wait(w.ctx(), id, container.WaitConditionNextExit)
	require.Equal(t, daemon.NotFound, daemon.KindOf(err), "or it would wait for ever")
}

func TestAnImageStaysWhileAContainerIsMadeOfIt(t *testing.T) {
	w := open(t)
	for n := range 10 {
		b := w.build(files{"Dockerfile": "FROM scratch\nCOPY f /\nCMD x\n", "f": time.Now().String()}, daemon.BuildOptions{Tags: []string{"racy"}})
		require.NoError(t, b.err)
		var both errgroup.Group
		both.Go(func() error {
			time.Sleep(rand.N(2 * time.Millisecond))
			_, err := imageStore{w.Engine}.Remove(w.ctx(), "racy", daemon.ImageRemoveOptions{})
			allowed(t, err, daemon.Conflict)
			return nil
		})
		req := request()
		req.Config.Image = "racy"
		made, err := w.Create(w.ctx(), req)
		_ = both.Wait()
		allowed(t, err, daemon.NotFound)
		if err == nil {
			_, err = w.images.Get(b.id)
			require.NoError(t, err, "%d: the container has no image", n)
			require.NoError(t, w.Remove(w.ctx(), made.ID, daemon.RemoveOptions{}))
		}
	}
}

func TestAnImageThatLosesItsNameMeanwhileIsNotFound(t *testing.T) {
	w := open(t)
	b, _ := w.must(files{"Dockerfile": "FROM scratch\nCOPY f /\n", "f": "x"}, daemon.BuildOptions{Tags: []string{"kept"}})
	done := make(chan struct{})
	var other errgroup.Group
	other.Go(func() error {
		for {
			select {
			case <-done:
				return nil
			default:
			}
			if err := w.images.Tag(b.id, "flips"); err != nil {
				return err
			}
			if _, err := (imageStore{w.Engine}).Remove(w.ctx(), "flips", daemon.ImageRemoveOptions{}); err != nil {
				return err
			}
		}
	})
	for range 100 {
		allowed(t, w.Save(w.ctx(), daemon.SaveOptions{Refs: []string{"flips"}}, io.Discard), daemon.NotFound)
	}
	close(done)
	require.NoError(t, other.Wait())
}

// Somebody removes the container of a RUN that failed before it is kept for the user.
func TestARunThatFailedMayLoseItsContainer(t *testing.T) {
	w := open(t)
	id := w.run(request("false"), "").id
	c, err := w.find(id)
	require.NoError(t, err)
	require.NoError(t, w.Remove(w.ctx(), id, daemon.RemoveOptions{}))
	w.mu.Lock()
	w.containers[id] = c
	w.mu.Unlock()
	require.NoError(t, (&builder{Engine: w.Engine}).keepRun(id))
	delete(w.containers, id)
}

func TestAContainerOfRmIsOneWhileItRestarts(t *testing.T) {
	w := open(t)
	req := request("sleep", "1000")
	req.HostConfig.AutoRemove = true
	id := w.create(req)
	require.NoError(t, w.Start(w.ctx(), id))
	restarted := make(chan error, 1)
	go func() { restarted <- w.Restart(w.ctx(), id, daemon.StopOptions{Signal: "CONT", Timeout: new(1)}) }()
	for seen := 0; ; seen++ {
		select {
		case err := <-restarted:
			require.NoError(t, err)
			require.Positive(t, seen)
			require.NoError(t, w.Stop(w.ctx(), id, daemon.StopOptions{Signal: "KILL"}))
			require.Eventually(t, func() bool { _, err := w.find(id); return err != nil }, patience, 10*time.Millisecond)
			return
		default:
		}
		// Whoever starts it meanwhile mounts its layer as before, and an engine that is killed leaves it to be removed.
		now, err := w.Inspect(w.ctx(), id, daemon.InspectOptions{})
		require.NoError(t, err)
		require.True(t, now.HostConfig.AutoRemove)
	}
}

func TestANetworkThatEndsMeanwhileIsSaidToHaveEnded(t *testing.T) {
	w := open(t)
	for range 12 {
		host := w.create(request("sleep", "1000"))
		require.NoError(t, w.Start(w.ctx(), host))
		req := request("true")
		req.HostConfig.NetworkMode = container.NetworkMode("container:" + host)
		guest := w.create(req)
		var both errgroup.Group
		both.Go(func() error {
			time.Sleep(rand.N(12 * time.Millisecond))
			return w.Remove(w.ctx(), host, daemon.RemoveOptions{Force: true})
		})
		err := w.Start(w.ctx(), guest)
		require.NoError(t, both.Wait())
		allowed(t, err, daemon.Conflict, daemon.NotFound)
		require.NoError(t, w.Remove(w.ctx(), guest, daemon.RemoveOptions{Force: true}))
	}
}

func TestANetworkIsThatOfTheContainerNotOfItsName(t *testing.T) {
	w := open(t)
	named := func(name, network string) string {
		req := request("sleep", "1000")
		req.Name, req.HostConfig.NetworkMode = name, container.NetworkMode(network)
		id := w.create(req)
		require.NoError(t, w.Start(w.ctx(), id))
		return id
	}
	first := named("one", "")
	named("two", "container:one")
	require.NoError(t, w.Rename(w.ctx(), "one", "zero"))
	require.NoError(t, w.Rename(w.ctx(), "two", "one"))
	_, err := w.Inspect(w.ctx(), "one", daemon.InspectOptions{})
	require.NoError(t, err)
	third := named("three", "container:one")
	require.Equal(t, nsOf(t, w.pidOf(first))[namespaces.Net], nsOf(t, w.pidOf(third))[namespaces.Net])
}

func TestANetworkOfNobodyIsNoMissingImage(t *testing.T) {
	w := open(t)
	req := request("true")
	req.HostConfig.NetworkMode = "container:nosuch"
	_, err := w.Create(w.ctx(), req)
	require.ErrorContains(t, err, "No such container: nosuch")
	require.Equal(t, daemon.Invalid, daemon.KindOf(err), "docker pulls the image of a container that cannot be created for something not found")
}

func TestAnExecEndsWithItsContainer(t *testing.T) {
	w := open(t)
	for range 12 {
		id := w.create(request("sleep", "1000"))
		require.NoError(t, w.Start(w.ctx(), id))
		exec, err := w.ExecCreate(w.ctx(), id, container.ExecCreateRequest{Cmd: []string{"true"}})
		require.NoError(t, err)
		var both errgroup.Group
		both.Go(func() error {
			time.Sleep(rand.N(4 * time.Millisecond))
			c, err := w.find(id)
			if err == nil {
				err = c.shim.Signal("", 9) // not by Kill, which would wait for the exec
			}
			return err
		})
		_, err = w.ExecStart(w.ctx(), exec, daemon.ExecStartOptions{Detach: true})
		require.NoError(t, both.Wait())
		allowed(t, err, daemon.Conflict)
		require.NoError(t, w.Remove(w.ctx(), id, daemon.RemoveOptions{Force: true}))
	}
}

func TestNothingIsExecutedInAContainerThatWasPausedMeanwhile(t *testing.T) {
	w := open(t)
	id := w.create(request("sleep", "1000"))
	require.NoError(t, w.Start(w.ctx(), id))
	exec, err := w.ExecCreate(w.ctx(), id, container.ExecCreateRequest{Cmd: []string{"true"}})
	require.NoError(t, err)
	require.NoError(t, w.Pause(w.ctx(), id))
	started := make(chan error, 1)
	go func() {
		_, err := w.ExecStart(w.ctx(), exec, daemon.ExecStartOptions{Detach: true})
		started <- err
	}()
	select {
	case err := <-started:
		require.Equal(t, daemon.Conflict, daemon.KindOf(err), "%v", err)
	case <-time.After(patience):
		require.NoError(t, w.group(id).Thaw()) // or the test could not end
		require.Fail(t, "the process stands still, and nothing can be done with the container")
	}
	require.NoError(t, w.Unpause(w.ctx(), id))
	_, err = w.ExecStart(w.ctx(), exec, daemon.ExecStartOptions{Detach: true})
	require.NoError(t, err)
}

// The client asks for it when it has read all output, and the container may be gone by then.
func TestAnExitCodeOutlivesTheContainer(t *testing.T) {
	w := open(t)
	id := w.create(request("sleep", "1000"))
	require.NoError(t, w.Start(w.ctx(), id))
	exec, err := w.ExecCreate(w.ctx(), id, container.ExecCreateRequest{Cmd: []string{"sh", "-c", "exit 3"}})
	require.NoError(t, err)
	_, err = w.ExecStart(w.ctx(), exec, daemon.ExecStartOptions{Detach: true})
	require.NoError(t, err)
	x, err := w.findExec(exec)
	require.NoError(t, err)
	<-x.ended
	require.NoError(t, w.Remove(w.ctx(), id, daemon.RemoveOptions{Force: true}))
	end, err := w.ExecInspect(w.ctx(), exec)
	require.NoError(t, err)
	require.Equal(t, 3, *end.ExitCode)
}

func TestTheContainerOfARunThatFailedCanBeStarted(t *testing.T) {
	w := open(t)
	b := w.build(files{"Dockerfile": "FROM cutaway/toolbox\nRUN echo x > /x && false\n"}, daemon.BuildOptions{Keep: daemon.KeepFailed})
	require.Error(t, b.err)
	left := w.all()
	require.Len(t, left, 1)
	id := left[0].look().ID
	require.NoError(t, w.Start(w.ctx(), id))
	until, err := w.Wait(w.ctx(), id, container.WaitConditionNotRunning)
	require.NoError(t, err)
	require.EqualValues(t, 1, w.receive(until))
}

// An engine may be killed in the middle of a removal, as one fails here: what it has not removed is found again.
func TestARemovalCanBeDoneAgainFromWhereItEnded(t *testing.T) {
	w := open(t)
	req := request("true")
	req.Config.Volumes = map[string]struct{}{"/anonymous": {}}
	id := w.run(req, "").id
	c, err := w.find(id)
	require.NoError(t, err)
	volume := c.look().Nameless[0]
	require.True(t, w.volumes.Has(volume))
	require.FileExists(t, w.socket(id))

	require.NoError(t, os.Rename(recordIn(c.dir), c.dir+"/kept"))
	require.NoError(t, os.MkdirAll(recordIn(c.dir)+"/in-the-way", 0o700))
	require.Error(t, w.Remove(w.ctx(), id, daemon.RemoveOptions{Volumes: true}))
	require.False(t, w.volumes.Has(volume), "without the record nobody would know of it")
	require.NoError(t, os.RemoveAll(recordIn(c.dir)))
	require.NoError(t, os.Rename(c.dir+"/kept", recordIn(c.dir)))

	held := c.dir + "/held"
	require.NoError(t, os.Mkdir(held, 0o700))
	require.NoError(t, unix.Mount("tmpfs", held, "tmpfs", 0, ""))
	err = w.Remove(w.ctx(), id, daemon.RemoveOptions{})
	require.NoError(t, unix.Unmount(held, 0))
	require.ErrorIs(t, err, unix.EBUSY)
	require.NoFileExists(t, w.socket(id), "without the directory nobody would know of it")
	require.NoError(t, w.Remove(w.ctx(), id, daemon.RemoveOptions{}))
	w.clean("removed")
}
