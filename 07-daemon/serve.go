package daemon

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// grace is how long requests in flight may take when the server ends.
const grace = 10 * time.Second

// Serve answers on all listeners until ctx ends or one of them fails, and closes
// them. Then clients that follow, wait or are attached are cut off at once
// (their containers live on), and other requests get ten seconds to finish. A
// Server serves once.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	// No read or write timeouts: `docker wait` may take months. But a client
	// that never finishes its headers holds nothing for long.
	web := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	g, ctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		g.Go(func() error {
			if err := web.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	g.Go(func() error {
		<-ctx.Done()
		return s.shutdown(web)
	})
	return g.Wait()
}

func (s *Server) shutdown(web *http.Server) error {
	s.end()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := web.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = web.Close() // closes the connections, which ends the requests' contexts
	}
	s.streams.Wait()
	return err
}
