// Command cutaway is the whole engine in one binary: the command line, the daemon, the process that every
// container begins as, the one that stays with it, and the user land of the image cutaway/toolbox.
package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"cutaway/final/cli"
	"cutaway/final/engine"
	"cutaway/final/runtime"
	"cutaway/final/shim"
	"cutaway/final/toolbox"
)

// version is set by the Makefile: -ldflags "-X main.version=…".
var version = "dev"

func main() { os.Exit(run(os.Args)) }

// run is the one switch between the lives of the binary.
func run(args []string) int {
	switch {
	case toolbox.Has(args[0]): // /bin/sh and the others of the image cutaway/toolbox may be links to this binary
		return toolbox.Run(args)
	case len(args) == 2 && args[1] == "init": // the first life of a container's process, before its program
		return runtime.Child()
	case len(args) == 2 && args[1] == "shim": // holds a container's streams and exit status
		return shim.Main()
	}
	return cli.Run(args[1:], cli.Options{Version: version, Serve: serve})
}

// serve is "cutaway daemon".
func serve(ctx context.Context, o cli.DaemonOptions) error {
	return engine.Serve(ctx, engine.Options{
		Hosts: o.Hosts, DataRoot: o.DataRoot, ExecRoot: o.ExecRoot, StorageDriver: o.StorageDriver, Ready: o.Ready,
		Toolbox:    beside("cutaway-toolbox"),
		Registries: engine.Registries{Insecure: o.Insecure, Mirrors: o.Mirrors, CertsDir: o.CertsDir},
	})
}

// beside is the toolbox in the directory of this binary, if it is the same user's, if nobody else can have written
// it (in /tmp anybody might put one there), and if it has the same commands. "" if not.
func beside(name string) string {
	exe, err := os.Executable()
	if err != nil {
		return ""
	}
	path := filepath.Join(filepath.Dir(exe), name)
	ours, err := os.Stat(exe)
	info, theirErr := os.Lstat(path)
	if err != nil || theirErr != nil || !info.Mode().IsRegular() || info.Mode()&0o022 != 0 || owner(info) != owner(ours) {
		return ""
	}
	applets, err := (&exec.Cmd{Path: path, Args: []string{"toolbox"}}).Output()
	if err != nil || string(applets) != strings.Join(toolbox.Applets(), "\n")+"\n" {
		return ""
	}
	return path
}

func owner(info os.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Uid }
