// Command cutaway is the whole engine in one binary: the command line, the daemon, the process that every
// container begins as, the one that stays with it, and the user land of the image cutaway/toolbox.
package main

import (
	"context"
	"os"
	"path/filepath"

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

// beside is the path of another binary in the directory of this one; "" if it is not there.
func beside(name string) string {
	exe, err := os.Executable()
	if err != nil {
		return ""
	}
	path := filepath.Join(filepath.Dir(exe), name)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}
