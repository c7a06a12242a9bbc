package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"cutaway/chapters/lab"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// image is what the containers are made of: the binary itself.
const image = "cutaway/toolbox"

// patience is how long anything may take on a busy machine.
const patience = 180 * time.Second

// The tests drive the real binary: one daemon for all of them, in namespaces of its own.
func TestMain(m *testing.M) {
	os.Exit(lab.Wrap(suite{m}, lab.Root).Run())
}

// suite is the tests with a daemon around them.
type suite struct{ tests lab.TestingM }

// host is the daemon's socket, and bin the directory of the binary, for the tests.
var host, bin string

// Run builds the binary, starts the daemon, runs the tests and stops the daemon. Whatever goes wrong with the
// daemon fails the run.
func (s suite) Run() int {
	dir, err := os.MkdirTemp("", "cutaway-cli-")
	if err != nil {
		return failed(err)
	}
	defer os.RemoveAll(dir)
	if bin, err = binary(dir); err != nil {
		return failed(err)
	}
	d, err := startDaemon(dir)
	if err != nil {
		return failed(err)
	}
	host = d.host
	code := s.tests.Run()
	if err := errors.Join(d.stop(), removeBridges()); err != nil {
		return failed(err)
	}
	return code
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, "the daemon of the tests:", err)
	return 1
}

// binary returns the directory of the binary. CUTAWAY_BIN names one for where there is no Go: .ci/test-vm.
func binary(dir string) (string, error) {
	if exe := os.Getenv("CUTAWAY_BIN"); exe != "" {
		return filepath.Dir(exe), nil
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "bin", "cutaway"), ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return filepath.Join(dir, "bin"), cmd.Run()
}

// daemon is one running "cutaway daemon" with its directories.
type daemon struct {
	dir, host string
	cmd       *exec.Cmd
	log       bytes.Buffer
}

// shortDir is a directory for an engine: t.TempDir has the test's name in it, and the path of a socket ends after 107 bytes (unix(7)).
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "cutaway-cli-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// startDaemon starts one with its directories in dir.
func startDaemon(dir string, args ...string) (*daemon, error) {
	d := &daemon{dir: dir, host: "unix://" + filepath.Join(dir, "sock")}
	d.cmd = exec.Command(filepath.Join(bin, "cutaway"), append([]string{"daemon", "-H", d.host,
		"--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "run")}, args...)...)
	d.cmd.Stdout, d.cmd.Stderr = &d.log, &d.log
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(20 * time.Millisecond) {
		if exec.Command(filepath.Join(bin, "cutaway"), "-H", d.host, "version").Run() == nil {
			return d, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("it does not answer:\n%s", &d.log), d.cmd.Process.Kill(), d.cmd.Wait())
}

// stop removes what containers are left, ends the daemon and looks whether it ended well.
func (d *daemon) stop() error {
	cutaway := func(args ...string) ([]byte, error) {
		return exec.Command(filepath.Join(bin, "cutaway"), append([]string{"-H", d.host}, args...)...).Output()
	}
	ids, err := cutaway("ps", "-aq")
	for id := range strings.FieldsSeq(string(ids)) {
		_, rerr := cutaway("rm", "-f", "-v", id)
		err = errors.Join(err, rerr)
	}
	err = errors.Join(err, d.cmd.Process.Signal(unix.SIGTERM))
	if werr := d.cmd.Wait(); werr != nil {
		err = errors.Join(err, fmt.Errorf("%w:\n%s", werr, &d.log))
	}
	return err
}

// removeBridges removes what engines leave for the next one of theirs.
func removeBridges() error {
	links, err := lab.Links()
	for _, link := range links {
		if link.Type() == "bridge" {
			err = errors.Join(err, netlink.LinkDel(link))
		}
	}
	return err
}

func TestScripts(t *testing.T) { runScripts(t, "testdata") }

// Docker's own client works with the engine, and so do the tools that read and write images.
func TestScriptsOfTheStockClient(t *testing.T) {
	for _, program := range []string{"docker", "dockerd", "containerd", "skopeo", "umoci", "podman"} {
		lab.NeedProgram(t, program)
	}
	runScripts(t, "testdata/stock")
}

func runScripts(t *testing.T, dir string) {
	at := newRegistry(t)
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		Setup:               func(env *testscript.Env) error { return setup(env, at) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":   code,
			"retry":  retry,
			"signal": signalBackground,
		},
	})
}

// newRegistry is a registry on the loopback of the tests' network namespace; its one user is joe, password "secret".
func newRegistry(t *testing.T) (host string) {
	keep := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "joe" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
			return
		}
		keep.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// setup gives a script the client, a name of its own for containers ($C), the engine's socket and a registry.
func setup(env *testscript.Env, at string) error {
	env.Setenv("REGISTRY", at)
	env.Setenv("DOCKER_HOST", host)
	env.Setenv("DOCKER_CONFIG", env.WorkDir)
	env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
	env.Setenv("CUTAWAY_HOST", host)
	env.Setenv("I", image)
	env.Setenv("C", "t-"+strconv.FormatInt(time.Now().UnixNano(), 36))
	return nil
}

// code runs a program and checks its exit status: "code 127 cutaway run …".
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := status(ts, args[1:]); got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

func status(ts *testscript.TestScript, args []string) int {
	err := ts.Exec(args[0], args[1:]...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

// retry runs a program until it succeeds: "retry cutaway exec …". The shell's own way to wait for something.
func retry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: retry PROGRAM ARG...")
	}
	for begin := time.Now(); status(ts, args) != 0; time.Sleep(50 * time.Millisecond) {
		if time.Since(begin) > patience {
			ts.Fatalf("%v does not succeed", args)
		}
	}
}

// signalBackground sends a signal to the script's background commands: "signal INT".
func signalBackground(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: signal NAME")
	}
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(unix.SignalNum("SIG" + args[0])))
	}
}
