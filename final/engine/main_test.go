package engine

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	daemon "cutaway/07-daemon"
	"cutaway/chapters/lab"
	"cutaway/final/runtime"
	"cutaway/final/shim"
	"cutaway/final/toolbox"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/stretchr/testify/require"
)

// The test binary is also the shim, the child and, in the toolbox image that
// the engine makes of it, every program of the containers.
func TestMain(m *testing.M) {
	switch {
	case os.Args[0] == "cutaway" && os.Args[1] == "init":
		os.Exit(runtime.Child())
	case os.Args[0] == "cutaway" && os.Args[1] == "shim":
		os.Exit(shim.Main())
	case toolbox.Has(filepath.Base(os.Args[0])):
		os.Exit(toolbox.Run(os.Args))
	case os.Getenv(victimEnv) != "":
		os.Exit(victim(os.Getenv(victimEnv)))
	}
	lab.Main(m, lab.Root)
}

// patience is how long anything may take on a busy machine.
const patience = 60 * time.Second

// world is an engine on temporary directories.
type world struct {
	*Engine
	t      *testing.T
	others []string // traces of containers that are to run all the time
}

// open starts an engine that ends with the test, which must have removed its
// containers by then.
func open(t *testing.T) *world {
	t.Helper()
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			require.False(t, s.Key == "CGO_ENABLED" && s.Value == "1", "the containers run this binary, which therefore must be static: CGO_ENABLED=0 go test, or make test")
		}
	}
	dir, err := os.MkdirTemp("", "cutaway-engine-")
	require.NoError(t, err)
	e, err := Open(Options{DataRoot: filepath.Join(dir, "data"), ExecRoot: filepath.Join(dir, "run")})
	require.NoError(t, err)
	w := &world{Engine: e, t: t}
	t.Cleanup(func() {
		for _, c := range w.all() {
			_ = w.Remove(context.Background(), c.look().ID, daemon.RemoveOptions{Force: true, Volumes: true})
		}
		require.NoError(t, w.Close())
		for _, step := range w.net.Base() {
			if u, ok := step.(interface{ Undo() error }); ok {
				require.NoError(t, u.Undo())
			}
		}
		require.NoError(t, os.RemoveAll(dir))
	})
	return w
}

func (w *world) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	w.t.Cleanup(cancel)
	return ctx
}

// request is what the client sends for "run cutaway/toolbox ARGS".
func request(args ...string) daemon.CreateRequest {
	return daemon.CreateRequest{CreateRequest: container.CreateRequest{
		Config:     &container.Config{Image: "cutaway/toolbox", Cmd: args},
		HostConfig: &container.HostConfig{},
	}}
}

func (w *world) create(req daemon.CreateRequest) string {
	w.t.Helper()
	resp, err := w.Create(w.ctx(), req)
	require.NoError(w.t, err)
	return resp.ID
}

// outcome is what a container left.
type outcome struct {
	id             string
	code           int64
	stdout, stderr string
}

// run creates, attaches, starts, feeds, and waits, in the order of the client.
func (w *world) run(req daemon.CreateRequest, input string) outcome {
	w.t.Helper()
	if input != "" {
		req.Config.OpenStdin, req.Config.StdinOnce = true, true
	}
	out := outcome{id: w.create(req)}
	stream, err := w.Attach(w.ctx(), out.id, daemon.AttachOptions{Stdin: input != "", Stdout: true, Stderr: true, Stream: true})
	require.NoError(w.t, err)
	defer stream.Conn.Close()
	until, err := w.Wait(w.ctx(), out.id, container.WaitConditionNextExit)
	require.NoError(w.t, err)
	require.NoError(w.t, w.Start(w.ctx(), out.id))
	go func() {
		_, _ = io.Copy(stream.Conn, strings.NewReader(input))
		_ = stream.Conn.CloseWrite()
	}()
	var stdout, stderr bytes.Buffer
	_, err = stdcopy.StdCopy(&stdout, &stderr, stream.Conn)
	require.NoError(w.t, err)
	out.code = w.receive(until)
	out.stdout, out.stderr = stdout.String(), stderr.String()
	return out
}

func (w *world) receive(until <-chan container.WaitResponse) int64 {
	w.t.Helper()
	select {
	case r := <-until:
		return r.StatusCode
	case <-time.After(patience):
		require.Fail(w.t, "the container did not end")
		return 0
	}
}
