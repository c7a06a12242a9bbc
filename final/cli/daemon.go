package cli

import (
	"context"
	"fmt"
	"os/signal"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// DaemonOptions are the flags of "cutaway daemon".
type DaemonOptions struct {
	Hosts         []string // unix:///PATH or tcp://ADDRESS:PORT; never empty
	DataRoot      string   // kept
	ExecRoot      string   // gone at the next boot
	StorageDriver string   // "" = the best that works
	Insecure      []string // registries, or ranges of addresses, that need no TLS
	Mirrors       []string // registries to ask before Docker Hub
	CertsDir      string   // HOST:PORT/*.crt in it are trusted for that registry
	Ready         func()   // called when all hosts are listened on
}

func (a *app) daemonCommand() *cobra.Command {
	var o DaemonOptions
	c := command("daemon [OPTIONS]", "Run the engine", func(ctx context.Context, _ []string) error { return a.daemon(ctx, o) })
	fs := c.Flags()
	fs.StringArrayVarP(&o.Hosts, "host", "H", nil, "`socket` to listen on, unix:///PATH or tcp://ADDRESS:PORT; may be repeated (default EXEC-ROOT/cutaway.sock)")
	fs.StringVar(&o.DataRoot, "data-root", "/var/lib/cutaway", "`directory` of images, containers and volumes")
	fs.StringVar(&o.ExecRoot, "exec-root", "/run/cutaway", "`directory` of what is gone at the next boot")
	fs.StringVar(&o.StorageDriver, "storage-driver", "", "how layers are stacked (default: the best that works)")
	fs.StringArrayVar(&o.Insecure, "insecure-registry", nil, "`HOST[:PORT]`, or a range such as 10.0.0.0/8, that may be spoken to without TLS or with any certificate")
	fs.StringArrayVar(&o.Mirrors, "registry-mirror", nil, "`address` of a registry to ask before Docker Hub, https://HOST[:PORT]")
	fs.StringVar(&o.CertsDir, "certs-dir", "/etc/docker/certs.d", "`directory` of HOST[:PORT]/*.crt, certificates to trust for that registry")
	return c
}

// daemon serves until SIGTERM or SIGINT.
func (a *app) daemon(ctx context.Context, o DaemonOptions) error {
	if len(o.Hosts) == 0 { // DefaultHost, unless the engine's place is another one
		o.Hosts = []string{"unix://" + filepath.Join(o.ExecRoot, "cutaway.sock")}
	}
	o.Ready = func() {
		for _, host := range o.Hosts {
			fmt.Fprintf(a.err, "cutaway: listening on %s\n", host)
		}
	}
	ctx, stop := signal.NotifyContext(ctx, unix.SIGTERM, unix.SIGINT)
	defer stop()
	return a.Serve(ctx, o)
}
