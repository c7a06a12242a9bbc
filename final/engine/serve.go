package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	daemon "cutaway/07-daemon"
)

// Serve opens an engine and serves Docker's API at all addresses until ctx
// ends. Containers that run then go on.
func Serve(ctx context.Context, o Options) error {
	var listeners []net.Listener
	defer func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	}()
	// An idle engine has a megabyte of objects, and Go's least heap would be full after two starts of containers.
	debug.SetGCPercent(400)
	o = withDefaults(o)
	if err := os.MkdirAll(o.ExecRoot, 0o711); err != nil { // the usual socket is in it, and after a boot it is not there
		return engineListen.About(err)
	}
	for _, host := range o.Hosts {
		l, err := daemon.Listen(host, daemon.ListenOptions{})
		if err != nil {
			return engineListen.About(err)
		}
		listeners = append(listeners, l)
	}
	e, err := Open(o)
	switch {
	case errors.Is(err, ErrBusy):
		return engineBusy.About(err)
	case err != nil:
		return engineOpen.About(err)
	}
	if o.Ready != nil {
		o.Ready()
	}
	err = daemon.New(e.API(), daemon.Options{Observe: report}).Serve(ctx, listeners...)
	return errors.Join(err, e.Close())
}

// API is the engine in the terms of chapter 7.
func (e *Engine) API() daemon.Engine {
	return daemon.Engine{
		Lifecycle: e, Control: e, Views: e, Streams: e, Execs: e, Images: imageStore{e}, System: e, Plans: e, Builder: e,
		Layers: e, Transfer: e, Upkeep: e,
	}
}

// report tells of what is our own fault; what is the user's is told to the user.
func report(r *http.Request, status int, err error) {
	if err != nil && status == http.StatusInternalServerError {
		fmt.Fprintf(os.Stderr, "%s %s %s: %v\n", time.Now().Format(time.RFC3339), r.Method, r.URL.Path, err)
	}
}
