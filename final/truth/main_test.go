package truth

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"testing"

	"cutaway/chapters/lab"
	"cutaway/final/engine"
	"cutaway/final/runtime"
	"cutaway/final/shim"
	"cutaway/final/toolbox"

	"golang.org/x/sys/unix"
)

// The test binary is also the daemon, the shim, the child and, in the toolbox
// image that the engine makes of it, every program of the containers.
func TestMain(m *testing.M) {
	switch {
	case os.Args[0] == "cutaway" && os.Args[1] == "init":
		os.Exit(runtime.Child())
	case os.Args[0] == "cutaway" && os.Args[1] == "shim":
		os.Exit(shim.Main())
	case toolbox.Has(filepath.Base(os.Args[0])):
		os.Exit(toolbox.Run(os.Args))
	case os.Getenv(daemonEnv) != "":
		os.Exit(serve(os.Getenv(daemonEnv)))
	}
	lab.Main(m, lab.Root)
}

// daemonEnv names the directory of a daemon, and makes the test binary one.
const daemonEnv = "CUTAWAY_TRUTH_DAEMON"

// serve is a daemon until it gets SIGTERM. When it serves, there is a file
// "ready" with its PID.
func serve(dir string) int {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	ready := func() {
		pid := filepath.Join(dir, "ready")
		err := os.WriteFile(pid+".new", []byte(strconv.Itoa(os.Getpid())), 0o600)
		if err = errors.Join(err, os.Rename(pid+".new", pid)); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	err := engine.Serve(ctx, engine.Options{
		Hosts:    []string{"unix://" + filepath.Join(dir, "sock")},
		DataRoot: filepath.Join(dir, "data"), ExecRoot: filepath.Join(dir, "run"), Ready: ready,
	})
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
