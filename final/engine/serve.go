package engine

import (
	"context"
	"errors"
	"net"
	"sync"

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
	for _, host := range o.Hosts {
		l, err := daemon.Listen(host, daemon.ListenOptions{})
		if err != nil {
			return err
		}
		listeners = append(listeners, l)
	}
	e, err := Open(o)
	if err != nil {
		return err
	}
	server := daemon.New(e.API(), daemon.Options{})
	if o.Ready != nil {
		o.Ready()
	}
	err = serveAll(ctx, server, listeners)
	return errors.Join(err, e.Close())
}

// API is the engine in the terms of chapter 7.
func (e *Engine) API() daemon.Engine {
	return daemon.Engine{
		Lifecycle: e, Control: e, Views: e, Streams: e, Execs: e, Images: imageStore{e}, System: e, Plans: e,
	}
}

// serveAll serves at every address; when one fails, all end.
func serveAll(ctx context.Context, server *daemon.Server, listeners []net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(listeners))
	var wg sync.WaitGroup
	for i, l := range listeners {
		wg.Go(func() {
			defer cancel()
			errs[i] = server.Serve(ctx, l)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
