// Command cutaway is the whole engine in one binary: the command line, the daemon, the process that every
// container begins as, the one that stays with it, and the user land of the image cutaway/toolbox.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"cutaway/final/cli"
	"cutaway/final/doctor"
	"cutaway/final/engine"
	"cutaway/final/explain"
	"cutaway/final/plan"
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
	case toolbox.Has(args[0]): // /bin/sh and the others of the image cutaway/toolbox are links to this binary
		return toolbox.Run(args)
	case len(args) == 2 && args[1] == "init": // the first life of a container's process, before its program
		return runtime.Child()
	case len(args) == 2 && args[1] == "shim": // holds a container's streams and exit status
		return shim.Main()
	}
	return cli.Run(args[1:], cli.Options{Version: version, Serve: serve, Explain: explainPlan, ExplainError: explainError, Examine: examine})
}

// serve is "cutaway daemon".
func serve(ctx context.Context, o cli.DaemonOptions) error {
	return engine.Serve(ctx, engine.Options{
		Hosts: o.Hosts, DataRoot: o.DataRoot, ExecRoot: o.ExecRoot, StorageDriver: o.StorageDriver, Ready: o.Ready,
		Registries: engine.Registries{Insecure: o.Insecure, Mirrors: o.Mirrors, CertsDir: o.CertsDir},
	})
}

// examine is "cutaway doctor".
func examine(w io.Writer, o cli.DoctorOptions) (healthy bool, err error) {
	list := doctor.Examine(doctor.Patient{Root: "/", DataRoot: o.DataRoot})
	write := doctor.Write
	if o.JSON {
		write = doctor.WriteJSON
	}
	return doctor.Healthy(list), write(w, list)
}

// explainError is "cutaway explain --error".
func explainError(w io.Writer, id string, o cli.ExplainOptions) error {
	page := explain.Options{Width: o.Width, Color: o.Color}
	if id == "" {
		return explain.Errors(w, page)
	}
	return explain.Error(w, id, page)
}

// explainPlan is "cutaway explain".
func explainPlan(w io.Writer, data []byte, o cli.ExplainOptions) error {
	var p plan.Plan
	if err := json.Unmarshal(data, &p); err != nil {
		return fmt.Errorf("decode the plan: %w", err)
	}
	if o.Script {
		return explain.Script(w, &p)
	}
	if !o.JSON {
		return explain.Text(w, &p, explain.Options{Width: o.Width, Color: o.Color})
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "    ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(explain.Steps(&p))
}
