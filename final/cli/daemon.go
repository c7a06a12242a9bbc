package cli

import (
	"context"
	"errors"
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
	Ready         func()   // called when all hosts are listened on
}

func (a *app) daemonCommand() *cobra.Command {
	var o DaemonOptions
	c := &cobra.Command{
		Use:   "daemon [OPTIONS]",
		Short: "Run the engine",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return a.daemon(c.Context(), o) },
	}
	fs := c.Flags()
	fs.StringArrayVarP(&o.Hosts, "host", "H", nil, "`socket` to listen on, unix:///PATH or tcp://ADDRESS:PORT; may be repeated (default EXEC-ROOT/cutaway.sock)")
	fs.StringVar(&o.DataRoot, "data-root", "/var/lib/cutaway", "`directory` of images, containers and volumes")
	fs.StringVar(&o.ExecRoot, "exec-root", "/run/cutaway", "`directory` of what is gone at the next boot")
	fs.StringVar(&o.StorageDriver, "storage-driver", "", "how layers are stacked (default: the best that works)")
	return c
}

// daemon serves until SIGTERM or SIGINT.
func (a *app) daemon(ctx context.Context, o DaemonOptions) error {
	if a.Serve == nil {
		return errors.New("this program is a client only")
	}
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
